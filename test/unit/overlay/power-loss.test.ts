import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failingStorage, storage, useStorage } from '../../../src/core/storage.ts';
import { kernelFileCalls } from '../../../src/daemon/file-calls.ts';
import type { Abandoned, OverlayInode } from '../../../src/overlay/inode.ts';
import {
  dataFolder,
  durableFolder,
  journalPath,
  openOverlay,
  stagingFolder,
} from '../../../src/overlay/open-overlay.ts';
import type { Overlay } from '../../../src/overlay/overlay.ts';
import { runSync } from '../../../src/vfs/file-syncs.ts';
import type { SyncReport } from '../../../src/vfs/jobs.ts';
import { MemoryTree } from '../../model/memory-tree.ts';

let base = '';
let abandoned: Abandoned[] = [];
const folders = () => ({ state: join(base, 'state'), memory: join(base, 'memory') });
const open = (budgetBytes = 2 ** 30, resumed = false) => {
  mkdirSync(folders().state, { recursive: true });
  mkdirSync(folders().memory, { recursive: true });
  abandoned = [];
  return openOverlay(
    folders(),
    { resumed, budgetBytes, calls: kernelFileCalls, lower: new MemoryTree({}, base, () => {}) },
    { onSealed: () => {}, onUnsealed: () => {}, onAbandoned: (gone) => abandoned.push(gone) },
  );
};
const file = { parent: 1, name: 'a.bin', mode: 0o100644, uid: 0, gid: 0 };
const losePower = () => rmSync(folders().memory, { recursive: true });

/** Does what fsync of a file does. */
function sync(overlay: Overlay, inode: OverlayInode, isAhead = false): SyncReport {
  const names = overlay.syncs.beginNames();
  const item = overlay.syncs.beginFile(inode.number, true, isAhead);
  const report = runSync({
    kind: 'sync',
    items: item ? [item] : [],
    journalPath: isAhead ? '' : journalPath(folders()),
    tickets: [],
  });
  overlay.syncs.endNames(names.journalBytes, names.unwanted, report.namesFailure === undefined);
  for (const { inode: number, logBytes } of report.items)
    overlay.store.synced.ended(number, logBytes, isAhead);
  return report;
}

const logs = () => readdirSync(durableFolder(folders()));
const bytesOf = (overlay: Overlay, name: string): Buffer =>
  Buffer.concat(
    (overlay.sealed.file(overlay.names.lookup(1, name) ?? 0)?.pieces ?? []).map(({ path }) =>
      readFileSync(path),
    ),
  );

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'platefs-power-'));
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

describe('what a machine that lost power brings back', () => {
  it('a file of which only the part on disk is left is lost, not zeros', () => {
    const { overlay } = open(8192);
    const inode = overlay.make(file);
    for (let at = 0; at < 65_536; at += 4096) overlay.write(inode, Buffer.alloc(4096, 7), at);
    expect(Number.isFinite(inode.splitAt) && inode.splitAt > 0).toBe(true);
    losePower();
    const again = open();
    expect(again.lost).toEqual(['a.bin']);
    expect(again.overlay.names.lookup(1, 'a.bin')).toBeUndefined();
  });

  it('of such a file what was synced comes back whole', () => {
    const { overlay } = open(8192);
    const inode = overlay.make(file);
    for (let at = 0; at < 65_536; at += 4096) overlay.write(inode, Buffer.alloc(4096, 7), at);
    expect(Number.isFinite(inode.splitAt) && inode.splitAt > 0).toBe(true);
    sync(overlay, inode);
    losePower();
    const again = open();
    expect(again.lost).toEqual([]);
    expect(bytesOf(again.overlay, 'a.bin').equals(Buffer.alloc(65_536, 7))).toBe(true);
  });

  it('is a file as it was synced last, though it was written, cut and grown since', () => {
    const { overlay } = open();
    const inode = overlay.make(file);
    overlay.write(inode, Buffer.alloc(3_000_000, 7), 0);
    sync(overlay, inode);
    overlay.write(inode, Buffer.alloc(10, 8), 1_500_000);
    overlay.truncate(inode, 2_000_000);
    overlay.truncate(inode, 2_500_000);
    sync(overlay, inode);
    overlay.write(inode, Buffer.alloc(2_500_000, 9), 0);
    overlay.truncate(inode, 5);
    losePower();
    const expected = Buffer.alloc(2_500_000);
    expected.fill(7, 0, 2_000_000).fill(8, 1_500_000, 1_500_010);
    const again = open();
    expect([again.lost, again.damaged]).toEqual([[], []]);
    expect(bytesOf(again.overlay, 'a.bin').equals(expected)).toBe(true);
  });

  it('what the disk was given ahead counts once the sync behind it has ended, and its name is made safe then', () => {
    const { overlay } = open();
    const inode = overlay.make(file);
    const bytes = Buffer.from(Array.from({ length: 5 * 2 ** 20 }, (_, at) => (at * 7 + (at >> 9)) & 255));
    overlay.write(inode, bytes.subarray(0, 2 ** 21), 0);
    const calls: string[] = [];
    const heard = (call: string, path: () => string): undefined => {
      if (call.startsWith('sync') || call === 'writeOut') calls.push(`${call} ${basename(path())}`);
      return undefined;
    };
    useStorage(failingStorage(storage, heard));
    try {
      sync(overlay, inode, true);
      overlay.write(inode, bytes.subarray(2 ** 21), 2 ** 21);
      sync(overlay, inode, true);
      const [log = ''] = logs();
      expect(calls).toEqual([`writeOut ${log}`, `writeOut ${log}`]);
      sync(overlay, inode);
      expect(calls.slice(2)).toEqual([`syncData ${log}`, 'sync durable', 'syncData journal']);
      overlay.write(inode, bytes.subarray(0, 10), 0);
      calls.length = 0;
      sync(overlay, inode);
      expect(calls).toEqual([`syncData ${log}`, 'syncData journal']);
    } finally {
      useStorage(undefined);
    }
    losePower();
    const again = open();
    expect([again.lost, again.damaged]).toEqual([[], []]);
    expect(bytesOf(again.overlay, 'a.bin').equals(bytes)).toBe(true);
  });

  it('a second sync writes what changed, and nothing else', () => {
    const { overlay } = open();
    const inode = overlay.make(file);
    overlay.write(inode, Buffer.alloc(8 << 20, 7), 0);
    sync(overlay, inode);
    const [log = ''] = logs();
    const before = statSync(join(durableFolder(folders()), log)).size;
    overlay.write(inode, Buffer.alloc(4096, 8), 1 << 20);
    sync(overlay, inode);
    expect(logs()).toEqual([log]);
    expect(statSync(join(durableFolder(folders()), log)).size - before).toBeLessThan(5000);
    expect(overlay.syncs.beginFile(inode.number)).toBeUndefined();
  });

  it('a log that has grown much longer than its file is begun anew', () => {
    const { overlay } = open();
    const inode = overlay.make(file);
    for (let round = 0; round < 12; round++) {
      overlay.write(inode, Buffer.alloc(2 << 20, round + 1), 0);
      sync(overlay, inode);
    }
    const sizes = logs().map((name) => statSync(join(durableFolder(folders()), name)).size);
    expect(sizes).toHaveLength(1);
    expect(sizes[0]).toBeLessThan(24 << 20);
    losePower();
    expect(bytesOf(open().overlay, 'a.bin').equals(Buffer.alloc(2 << 20, 12))).toBe(true);
  });

  it('a bit that flips in what was safe is told, and a sync that was never finished is cut off', () => {
    const { overlay } = open();
    const inode = overlay.make(file);
    overlay.write(inode, Buffer.alloc(2 << 20, 7), 0);
    sync(overlay, inode);
    const path = join(durableFolder(folders()), logs()[0] ?? '');
    const whole = readFileSync(path);
    overlay.write(inode, Buffer.alloc(4096, 8), 0);
    sync(overlay, inode);
    const longer = readFileSync(path);
    losePower();
    // The note that the second sync was safe never reached the disk, and some of its bytes didn't either.
    const torn = longer.subarray(0, longer.length - 48).fill(0, whole.length + 1000, whole.length + 2000);
    writeFileSync(path, torn);
    const second = open();
    expect(second.damaged).toEqual([]);
    expect(bytesOf(second.overlay, 'a.bin').equals(Buffer.alloc(2 << 20, 7))).toBe(true);
    losePower();
    const flipped = Buffer.from(whole);
    flipped[(1 << 20) + 5000] = (flipped[(1 << 20) + 5000] ?? 0) ^ 4;
    writeFileSync(path, flipped);
    expect(open().damaged).toEqual([`a.bin: bytes ${1 << 20} to ${2 << 20}`]);
    losePower();
    const beheaded = Buffer.from(whole).fill(0, 0, 48);
    writeFileSync(path, beheaded);
    expect(open().damaged).toHaveLength(1);
  });

  it('a file that was synced and replaced is there until the journal that replaced it was synced', () => {
    const { overlay } = open();
    const inode = overlay.make(file);
    overlay.write(inode, Buffer.alloc(5000, 7), 0);
    sync(overlay, inode);
    const safe = readFileSync(journalPath(folders()));
    overlay.remove({ parent: 1, name: 'a.bin' }, '1:1');
    expect(logs()).toHaveLength(1);
    losePower();
    writeFileSync(journalPath(folders()), safe);
    const again = open();
    expect(again.lost).toEqual([]);
    expect(bytesOf(again.overlay, 'a.bin').equals(Buffer.alloc(5000, 7))).toBe(true);
  });

  it('a landed file that was being changed is what had landed', () => {
    const { overlay } = open();
    const inode = overlay.make(file);
    overlay.write(inode, Buffer.from('first'), 0);
    overlay.seal(inode);
    overlay.landings.landed([
      { inode: inode.number, version: inode.version, record: { id: 1, mountPath: 'a.bin' } },
    ]);
    const staged = join(stagingFolder(folders()), 'copy');
    writeFileSync(staged, 'first');
    overlay.recall(inode, staged);
    overlay.unseal(inode);
    overlay.write(inode, Buffer.from('second'), 0);
    expect(abandoned).toEqual([]);
    losePower();
    const again = open();
    expect(again.lost).toHaveLength(1);
    const found = again.overlay.inode(again.overlay.names.lookup(1, 'a.bin') ?? 0);
    expect(found?.landed).toMatchObject({ record: { id: 1 }, sizeBytes: 5 });
    expect(found?.sealed).toBe(true);
  });

  it('what was synced goes once its file has landed, or is removed for good', () => {
    const { overlay } = open();
    for (const name of ['a', 'b']) {
      const inode = overlay.make({ ...file, name });
      overlay.write(inode, Buffer.from('old'), 0);
      sync(overlay, inode);
      expect(logs()).toHaveLength(1);
      overlay.seal(inode);
      if (name === 'a')
        overlay.landings.landed([
          { inode: inode.number, version: inode.version, record: { id: 1, mountPath: name } },
        ]);
      else {
        overlay.remove({ parent: 1, name }, '1:1');
        sync(overlay, inode);
      }
      expect(logs()).toEqual([]);
    }
  });
});

describe('landings that no file needs any more', () => {
  it('are told until they are gone, also to the daemons that follow', () => {
    const { overlay } = open();
    const inode = overlay.make(file);
    overlay.seal(inode);
    overlay.landings.landed([
      { inode: inode.number, version: inode.version, record: { id: 1, mountPath: 'a.bin' } },
    ]);
    overlay.recallEmpty(inode);
    overlay.unseal(inode);
    overlay.seal(inode);
    expect(abandoned).toEqual([]);
    overlay.landings.landed([
      { inode: inode.number, version: inode.version, record: { id: 2, mountPath: 'a.bin' } },
    ]);
    expect(abandoned).toMatchObject([{ record: { id: 1 }, successor: { id: 2 } }]);
    overlay.remove({ parent: 1, name: 'a.bin' }, '1:1');
    expect(abandoned).toHaveLength(2);
    overlay.landings.cleared(abandoned[0]?.id ?? 0);
    for (const resumed of [true, false, true]) {
      const again = open(2 ** 30, resumed).overlay;
      expect([...again.names.abandoned.values()]).toEqual([{ id: 2, record: { id: 2, mountPath: 'a.bin' } }]);
      again.handles.close();
    }
    const last = open().overlay;
    last.landings.cleared(2);
    expect(open().overlay.names.abandoned.size).toBe(0);
  });

  it('a renamed landed file is named until it lies under its new name', () => {
    const { overlay } = open();
    const inode = overlay.make(file);
    overlay.seal(inode);
    overlay.landings.landed([{ inode: inode.number, version: 1, record: { id: 1, mountPath: 'a.bin' } }]);
    overlay.move({ parent: 1, name: 'a.bin' }, { parent: 1, name: 'b.bin' }, false, '1:1');
    expect([...overlay.landings.moved()]).toMatchObject([{ mountPath: 'b.bin', record: { id: 1 } }]);
    expect(overlay.landings.relanded(inode.number, 1, { id: 2, mountPath: 'b.bin' })).toBe(true);
    expect([...overlay.landings.moved()]).toEqual([]);
    expect(abandoned).toMatchObject([{ record: { id: 1 }, successor: { id: 2 } }]);
    expect(dataFolder(folders())).toContain('memory');
  });
});
