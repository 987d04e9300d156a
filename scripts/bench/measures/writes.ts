import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { runScript, timeClient } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import { buildPeer, startPeer } from '../peer.ts';

const PEER_THREADS = 4;

/** New files written in 1 MiB steps, into the mount, through the C peer to tmpfs, and to tmpfs itself. */
export async function writing(bench: Bench): Promise<Row[]> {
  const mebibytes = bench.options.quick ? 64 : 256;
  const { root } = await bench.fields();
  const mount = bench.mounts.mount(root, ['--budget', '4GiB']);
  const memory = join(bench.memoryFolder, 'written');
  mkdirSync(memory);
  const peer = buildPeer();
  const mountpoint = bench.mounts.newMountpoint();
  const stopPeer = 'path' in peer ? await startPeer(peer.path, memory, mountpoint, PEER_THREADS) : undefined;
  const rate = (folder: string): number => {
    const path = join(folder, 'written.bin');
    const [seconds = Number.NaN] = timeClient('write', mebibytes, path);
    rmSync(path);
    return (mebibytes * 1.048576e-3) / seconds;
  };
  const ours: number[] = [];
  const theirs: number[] = [];
  const tmpfs: number[] = [];
  try {
    for (let round = 0; round < Math.max(3, bench.options.rounds); round++) {
      ours.push(rate(mount.path));
      if (stopPeer) theirs.push(rate(mountpoint));
      tmpfs.push(rate(memory));
    }
  } finally {
    await stopPeer?.();
  }
  bench.mounts.umount(mount);
  const common = { unit: 'GB/s', sense: 'more', ours } as const;
  return [
    compare({
      ...common,
      measure: '1 MiB writes into the mount',
      ...(theirs.length > 0 && { reference: { name: 'C libfuse3 on tmpfs', values: theirs } }),
      bar: '≥ 1.5 GB/s or ≥ 0.8',
      isMet: (figure, ratio) => figure >= 1.5 || ratio >= 0.8,
      ...('missing' in peer && { note: peer.missing }),
    }),
    compare({
      ...common,
      measure: '1 MiB writes into the mount',
      reference: { name: 'tmpfs itself', values: tmpfs },
      bar: '',
    }),
  ];
}

interface Landed {
  readonly plane: string;
  readonly pixelMb: number;
  readonly mbPerSecond: number;
  readonly zarrPythonMbPerSecond: number;
}

/** Landing images, durable, against zarr-python writing the same store (whose bytes are not synced). */
export function materializing(bench: Bench): Row[] {
  const rows: Row[] = [];
  for (const size of ['512', '2048']) {
    const landed = runScript('materialize.ts', [bench.newFolder('landed'), size]) as Landed;
    rows.push(
      compare({
        measure: `materialization of ${landed.plane} planes (best of 3)`,
        unit: 'MB/s',
        sense: 'more',
        ours: [landed.mbPerSecond],
        reference: { name: 'zarr-python, unsynced', values: [landed.zarrPythonMbPerSecond] },
        bar: '≥ 200 MB/s and ≥ 2',
        isMet: (figure, ratio) => figure >= 200 && ratio >= 2,
      }),
    );
  }
  return rows;
}
