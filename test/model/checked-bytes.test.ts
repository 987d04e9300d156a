import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesFinding, checkWrittenBytes, type DamagedFile } from '../../src/changes/check-bytes.ts';
import { checkRevisions, repairRevisions } from '../../src/changes/check-revisions.ts';
import { frozenState } from '../../src/changes/frozen-records.ts';
import { KeptLandings } from '../../src/changes/kept-landings.ts';
import { sumsPathOf } from '../../src/changes/kept-sums.ts';
import { repairWrittenBytes } from '../../src/changes/repair-bytes.ts';
import { linkAside } from '../../src/changes/repair-state.ts';
import { RevisionStore } from '../../src/changes/revision-store.ts';
import { savedState } from '../../src/changes/written-state.ts';
import { UNIT_BYTES } from '../../src/core/unit-sums.ts';
import { kernelFileCalls } from '../../src/daemon/file-calls.ts';
import type { Landing } from '../../src/materializer/landing.ts';
import { Materializer } from '../../src/materializer/materializer.ts';
import { ByteCache } from '../../src/memory/byte-cache.ts';
import { Namespace } from '../../src/overlay/namespace.ts';
import type { OverlayRecord } from '../../src/overlay/records.ts';
import { sealedBytes, smallTiff } from '../interop/landing/small-tiff.ts';
import { pattern } from './duel.ts';
import { type DoubleHandle, KernelDouble } from './kernel-double.ts';
import { MemoryTree } from './memory-tree.ts';

const O_RDWR = 2;
const { signal } = new AbortController();
const quiet = { signal, onProgress: () => {} };
const written = pattern(4 * UNIT_BYTES + 100, 1);
let kernel: KernelDouble;

beforeEach(() => {
  kernel = new KernelDouble((folder) => new MemoryTree({}, folder, () => {}), 16 * UNIT_BYTES);
  kernel.isTolerant = true;
});
afterEach(() => kernel.dispose());

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

const memoryPath = ({ node }: DoubleHandle): string => join(kernel.folders.memory, 'data', node.toString(16));

function make(name: string): DoubleHandle {
  const handle = kernel.create([name], 0o644, O_RDWR);
  kernel.write(handle, 0, written);
  return handle;
}

const names = (): Namespace => {
  const found = new Namespace(kernel.tree);
  for (const record of savedState(kernel.folders, kernel.tree).records) found.apply(record);
  return found;
};
const check = (isServed = false): Promise<DamagedFile[]> =>
  checkWrittenBytes(kernel.folders, names(), { ...quiet, isServed });
const place = () => ({ state: kernel.folders.state, output: join(kernel.folders.state, 'output') });

describe('files that have not landed', () => {
  it('are held against their checksums, and named with every stretch that is damaged', async () => {
    const handles = [make('a'), make('b'), make('c')] as const;
    const inode = kernel.overlay.inode(handles[1].node);
    if (inode) kernel.overlay.bytes.spill(inode, UNIT_BYTES);
    for (const handle of handles) kernel.close(handle);
    expect(await check()).toEqual([]);
    flip(memoryPath(handles[0]), 5);
    flip(memoryPath(handles[0]), UNIT_BYTES + 5);
    flip(memoryPath(handles[0]), 4 * UNIT_BYTES + 99);
    flip(join(kernel.folders.state, 'spill', handles[1].node.toString(16)), 2 * UNIT_BYTES);
    for (const isServed of [false, true])
      expect(
        (await check(isServed)).map(bytesFinding).map(({ path, detail }) => `${path}: ${detail}`),
      ).toEqual([
        'a: bytes 0 to 131072, 262144 to 262244 of 262244 are not what was written; reading them fails',
        'b: bytes 131072 to 196608 of 262244 are not what was written; reading them fails',
      ]);
    // Nothing says what was there.
    const before = [memoryPath(handles[0]), memoryPath(handles[2])].map((path) => readFileSync(path));
    const found = repairWrittenBytes(kernel.folders, place(), await check(), kernelFileCalls);
    expect(found.map(({ done }) => done)).toEqual([undefined, undefined]);
    expect([memoryPath(handles[0]), memoryPath(handles[2])].map((path) => readFileSync(path))).toEqual(
      before,
    );
  });

  it('are mended with what was synced of them, but for what was written since', async () => {
    const [handle, other] = [make('a'), make('b')] as const;
    for (const one of [handle, other]) kernel.request((front, context) => front.fsync(context, one.node));
    kernel.write(other, 3 * UNIT_BYTES, pattern(50, 9));
    // The last write counts as it is: it may never have been answered.
    for (const one of [handle, other, make('c')]) kernel.close(one);
    flip(memoryPath(handle), 2 * UNIT_BYTES + 5);
    flip(memoryPath(other), 5);
    flip(memoryPath(other), 3 * UNIT_BYTES + 5);
    const times = statSync(memoryPath(handle), { bigint: true }).mtimeNs;
    const found = repairWrittenBytes(kernel.folders, place(), await check(), kernelFileCalls);
    expect(found.map(({ path, done, detail }) => [path, done, detail.slice(0, 23)])).toEqual([
      ['a', 'bytes put back from what was synced', 'bytes 131072 to 196608 '],
      ['b', undefined, 'bytes 196608 to 262144 '],
    ]);
    expect(Buffer.compare(readFileSync(memoryPath(handle)), written)).toBe(0);
    expect(statSync(memoryPath(handle), { bigint: true }).mtimeNs).toBe(times);
    expect(readFileSync(memoryPath(other)).subarray(0, UNIT_BYTES)).toEqual(
      Buffer.from(written.subarray(0, UNIT_BYTES)),
    );
    expect((await check()).map(({ path }) => path)).toEqual(['b']);
    kernel.remount();
    const again = kernel.open(['a'], 0);
    expect(Buffer.compare(kernel.read(again, 0, written.length), written)).toBe(0);
    kernel.close(again);
  });

  it('are mended with what had landed of them', async () => {
    const handle = make('a');
    kernel.close(handle);
    const { output } = place();
    mkdirSync(output);
    writeFileSync(join(output, 'a'), written);
    const landing = kernel.beginLanding(handle.node);
    if (!landing) throw new Error('it did not land');
    const record = { ...landing.record, kind: 'plain', path: 'a', mountPath: 'a', sizeBytes: written.length };
    kernel.endLanding({ ...landing, record });
    const again = kernel.open(['a'], O_RDWR);
    kernel.write(again, 10, pattern(5, 3));
    kernel.close(again);
    flip(memoryPath(again), 3 * UNIT_BYTES);
    const [found] = repairWrittenBytes(kernel.folders, place(), await check(), kernelFileCalls);
    expect(found?.done).toBe('bytes put back from where it had landed');
    expect(await check()).toEqual([]);
  });

  it('are no damage where the last write was never answered', async () => {
    const handle = make('a');
    kernel.dieAfter(1);
    // Its checksums are noted, its bytes are not written.
    try {
      kernel.overlay.store.write(
        { number: handle.node, splitAt: Number.POSITIVE_INFINITY },
        pattern(9, 4),
        0,
      );
    } catch {
      // The daemon died.
    }
    kernel.stayAlive();
    expect(await check()).toEqual([]);
  });
});

describe('files of revisions', () => {
  it('are read back whole, named with revision and stretch, and kept anew from the output folder', async () => {
    const { state, output } = place();
    const tif = 'A01_s001_w1_z001_t001.tif';
    const materializer = await Materializer.open({ outputDir: output, workers: 1 }, signal);
    try {
      const files = [
        sealedBytes(join(state, 'in', tif), smallTiff(300, 300, 1), tif, 1),
        sealedBytes(join(state, 'in', 'table.csv'), Buffer.from('one\ntwo\n'), 'table.csv', 2),
      ];
      const results = await materializer.land(files, signal);
      const landings = results.flatMap((result) => ('landing' in result ? [result.landing] : []));
      const records = landings.flatMap(recordsOf);
      const { records: frozen, ...facts } = frozenState({ records, files: [] }, kernel.tree);
      const store = new RevisionStore(state);
      store.add({ at: '', reason: 'snapshot', ...facts }, frozen);
      const kept = new KeptLandings(place(), new ByteCache(0));
      const image = landings.find(({ kind }) => kind === 'image');
      const table = landings.find(({ kind }) => kind === 'plain');
      if (!image || !table) throw new Error('they did not land');
      for (const landing of landings) await kept.keep(landing);
      const all = () => checkRevisions(place(), new Namespace(kernel.tree), quiet);
      expect(await all()).toEqual([]);
      expect(existsSync(sumsPathOf(store.keptPath(image.id)))).toBe(true);

      flip(store.keptPath(image.id), UNIT_BYTES + 1);
      const bytes = Buffer.alloc(10);
      expect(() => new KeptLandings(place(), new ByteCache(0)).read(image, UNIT_BYTES, bytes)).toThrow(
        /bytes 65536 to 131072/,
      );
      const [damaged] = await all();
      expect(damaged?.finding).toEqual({
        kind: 'revision-damaged',
        path: tif,
        detail: expect.stringMatching(
          /^bytes 65536 to 131072 of \d+ kept in .* are not what was written; in revision 1$/,
        ),
      });
      const mend = async () =>
        await repairRevisions(place(), new Namespace(kernel.tree), await all(), (path) =>
          linkAside(path, join(state, 'rescued')),
        );
      expect((await mend()).map(({ done }) => done)).toEqual([expect.stringContaining('kept anew')]);
      expect(await all()).toEqual([]);

      // One file under two names: what is damaged is damaged in both, and stays as it is.
      flip(store.keptPath(table.id), 2);
      expect((await mend()).map(({ path, done }) => [path, done])).toEqual([['table.csv', undefined]]);
      expect((await all()).map(({ finding }) => finding.detail)).toEqual([
        expect.stringContaining('bytes 0 to 8 of 8 kept in'),
      ]);
      // Cut off, and gone.
      writeFileSync(store.keptPath(table.id), 'o');
      expect((await all())[0]?.finding.detail).toContain('bytes 1 to 8 of 8');
      for (const path of [store.keptPath(table.id), join(output, 'table.csv')]) rmSync(path);
      expect((await all()).map(({ finding }) => finding.path)).toEqual(['table.csv']);
      store.drop(1);
      expect(existsSync(sumsPathOf(store.keptPath(image.id)))).toBe(false);
    } finally {
      await materializer.close();
    }
  });
});

function recordsOf(landing: Landing, at: number): OverlayRecord[] {
  const inode = 2 ** 45 + at;
  const { sizeBytes, mountPath: name } = landing;
  const made = { inode, parent: 1, name, mode: 0o100644, uid: 0, gid: 0, at: 0 };
  const times = { sizeBytes, mtimeNs: '0', changedNs: '0' };
  return [
    { op: 'make', ...made },
    { op: 'sealed', inode, version: 1 },
    { op: 'landed', inode, version: 1, record: { ...landing }, ...times },
  ];
}
