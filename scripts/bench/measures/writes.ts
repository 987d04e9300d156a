import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { runScript, timeClient } from '../child.ts';
import { compare, type Row } from '../figure.ts';
import { buildPeer, startPeer } from '../peer.ts';

const PEER_THREADS = 4;
const SMALL_FILE_BYTES = 64 * 1024;

interface Writing {
  readonly measure: string;
  readonly unit: string;
  readonly bar: string;
  readonly isMet: (figure: number, ratio: number) => boolean;
  /** Writes into a folder and takes away again what it wrote. @returns in `unit`. */
  readonly rate: (folder: string) => number;
}

/** A new file written in steps, in GB/s. */
function streamed(folder: string, mebibytes: number, stepBytes: number): number {
  const path = join(folder, 'written.bin');
  const [seconds = Number.NaN] = timeClient('write', mebibytes, path, stepBytes);
  rmSync(path);
  return (mebibytes * 1.048576e-3) / seconds;
}

/** New files of 64 KiB, written at once and closed, in files per second. */
function created(folder: string, files: number): number {
  const [seconds = Number.NaN] = timeClient('files', files, folder, SMALL_FILE_BYTES, 'close');
  for (let number = 0; number < files; number++) rmSync(join(folder, `${number}.bin`));
  return files / seconds;
}

/** New files written into the mount, through the C peer to tmpfs, and to tmpfs itself. */
export async function writing(bench: Bench): Promise<Row[]> {
  const share = bench.options.quick ? 4 : 1;
  const common = { bar: '≥ 0.8', isMet: (_: number, ratio: number) => ratio >= 0.8 };
  const writings: Writing[] = [
    {
      measure: '1 MiB writes into the mount',
      unit: 'GB/s',
      ...common,
      rate: (folder) => streamed(folder, 512 / share, 2 ** 20),
    },
    {
      measure: '4 KiB writes into the mount',
      unit: 'GB/s',
      ...common,
      rate: (folder) => streamed(folder, 128 / share, 4096),
    },
    {
      measure: 'create, write 64 KiB, close',
      unit: 'files/s',
      ...common,
      rate: (folder) => created(folder, 4000 / share),
    },
  ];
  const { root } = await bench.fields();
  const mount = bench.mounts.mount(root, ['--budget', '4GiB']);
  const memory = join(bench.memoryFolder, 'written');
  mkdirSync(memory);
  const peer = buildPeer();
  const mountpoint = bench.mounts.newMountpoint();
  const stopPeer = 'path' in peer ? await startPeer(peer.path, memory, mountpoint, PEER_THREADS) : undefined;
  const rows: Row[] = [];
  try {
    for (const { rate, ...about } of writings) {
      const ours: number[] = [];
      const theirs: number[] = [];
      const tmpfs: number[] = [];
      for (let round = 0; round < Math.max(3, bench.options.rounds); round++) {
        ours.push(rate(mount.path));
        if (stopPeer) theirs.push(rate(mountpoint));
        tmpfs.push(rate(memory));
      }
      rows.push(
        compare({
          ...about,
          sense: 'more',
          ours,
          paired: true,
          ...(theirs.length > 0 && { reference: { name: 'C libfuse3 on tmpfs', values: theirs } }),
          ...('missing' in peer && { note: peer.missing }),
        }),
        compare({
          measure: about.measure,
          unit: about.unit,
          sense: 'more',
          ours,
          reference: { name: 'tmpfs itself', values: tmpfs },
          bar: '',
        }),
      );
    }
  } finally {
    await stopPeer?.();
  }
  bench.mounts.umount(mount);
  return rows;
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
