import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kernelFileCalls } from '../../../src/daemon/file-calls.ts';
import type { Abandoned } from '../../../src/overlay/inode.ts';
import { dataFolder, durableFolder, openOverlay, stagingFolder } from '../../../src/overlay/open-overlay.ts';
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

  it('of such a file the synced copy comes back whole', () => {
    const { overlay } = open(8192);
    const inode = overlay.make(file);
    for (let at = 0; at < 65_536; at += 4096) overlay.write(inode, Buffer.alloc(4096, 7), at);
    writeFileSync(join(durableFolder(folders()), inode.number.toString(16)), Buffer.alloc(65_536, 7));
    losePower();
    const again = open();
    expect(again.lost).toEqual([]);
    const number = again.overlay.names.lookup(1, 'a.bin') ?? 0;
    const pieces = again.overlay.sealed.file(number)?.pieces ?? [];
    expect(pieces.map(({ path }) => readFileSync(path))).toEqual([Buffer.alloc(65_536, 7)]);
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

  it('a synced copy goes when its file lands or is removed', () => {
    const { overlay } = open();
    for (const name of ['a', 'b']) {
      const inode = overlay.make({ ...file, name });
      const copy = join(durableFolder(folders()), inode.number.toString(16));
      writeFileSync(copy, 'old');
      overlay.seal(inode);
      if (name === 'a')
        overlay.landings.landed([
          { inode: inode.number, version: inode.version, record: { id: 1, mountPath: name } },
        ]);
      else overlay.remove({ parent: 1, name }, '1:1');
      expect(() => readFileSync(copy)).toThrow('ENOENT');
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
