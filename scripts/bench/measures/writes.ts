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
  readonly mbPerSecond: readonly number[];
  readonly zarrPythonMbPerSecond: readonly number[];
  readonly zarrPythonSyncedMbPerSecond: readonly number[];
}

/** Landing images, durable, against zarr-python writing the same store: as it does, and made durable like ours. */
export function materializing(bench: Bench): Row[] {
  const rows: Row[] = [];
  for (const size of ['512', '2048']) {
    const rounds = String(Math.max(3, bench.options.rounds));
    const landed = runScript('materialize.ts', [bench.newFolder('landed'), size, rounds]) as Landed;
    const common = {
      measure: `materialization of ${landed.plane} planes`,
      unit: 'MB/s',
      sense: 'more',
      ours: landed.mbPerSecond,
    } as const;
    rows.push(
      compare({
        ...common,
        reference: { name: 'zarr-python, not synced', values: landed.zarrPythonMbPerSecond },
        bar: '≥ 400 MB/s and ≥ 3',
        isMet: (figure, ratio) => figure >= 400 && ratio >= 3,
      }),
      compare({
        ...common,
        reference: { name: 'zarr-python, fsync of each', values: landed.zarrPythonSyncedMbPerSecond },
        bar: '',
      }),
    );
  }
  return rows;
}
