import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const PEER = join(import.meta.dirname, 'array-peer.py');
/** Debian's, which has its packages. */
const PYTHON = '/usr/bin/python3';

/** Arrays of planes of noise and blobs, in several kinds of stores. */
export interface ArrayStores {
  readonly folder: string;
  readonly planes: number;
  readonly side: number;
}

function runPeer(args: readonly (string | number)[]): string {
  const run = spawnSync(PYTHON, [PEER, ...args.map(String)], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`array-peer.py ${args.join(' ')} failed: ${run.stderr || run.error}`);
  return run.stdout;
}

/** Why there can be no such stores here; undefined where there can. */
export function missingArrayPeer(): string | undefined {
  if (!existsSync(PYTHON)) return `${PYTHON} is missing`;
  const run = spawnSync(PYTHON, ['-c', 'import zarr, h5py'], { encoding: 'utf8' });
  return run.status === 0 ? undefined : 'h5py or zarr is missing (apt install python3-h5py python3-zarr)';
}

export function makeArrayStores(stores: ArrayStores): ArrayStores {
  runPeer(['make', stores.folder, stores.planes, stores.side]);
  return stores;
}

/** A contiguous array of uint16 in a file of holes: every pixel is 0 but the last. */
export function makeLargeHdf5(path: string, planes: number, side: number): void {
  runPeer(['sparse', path, planes, side]);
}

/** Seconds that zarr-python or h5py takes to read a store's planes one by one. */
export function timePeerRead(store: string): number {
  return Number(runPeer(['read', store]));
}

/** The files with a store's pixels, in the order of its planes. */
export function pixelFiles(store: string): string[] {
  if (!store.endsWith('.zarr')) return [store];
  const planes = join(store, 'cells', '0', '0', '0');
  const inOrder = readdirSync(planes).toSorted((a, b) => Number(a) - Number(b));
  return inOrder.map((plane) => join(planes, plane, '0', '0'));
}
