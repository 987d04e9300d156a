import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Journal } from '../../src/journal/journal.ts';
import { FIRST_OVERLAY_INODE, S_IFDIR, S_IFLNK } from '../../src/overlay/inode.ts';
import { Namespace, WHITEOUT } from '../../src/overlay/namespace.ts';
import type { OverlayRecord } from '../../src/overlay/records.ts';
import { snapshotOf } from '../../src/overlay/snapshot.ts';
import { ROOT_NODE } from '../../src/tree/tree.ts';
import { MemoryTree, type Seed } from './memory-tree.ts';

const SEED: Seed = {
  images: { a: new Uint8Array(1), b: new Uint8Array(2) },
  stacks: { deep: { a: new Uint8Array(3) } },
};
const NAMES = ['a', 'b', 'deep', 'images', 'x'];

/** A change by numbers, made to fit whatever is there. */
interface Wish {
  readonly what: number;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

const wish: fc.Arbitrary<Wish> = fc.record({
  what: fc.nat(5),
  from: fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }),
  to: fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }),
});

class World {
  readonly tree = new MemoryTree(SEED, '/nowhere', () => {});
  readonly names = new Namespace(this.tree);

  children(directory: number): Map<string, number> {
    const found = new Map<string, number>();
    if (directory < FIRST_OVERLAY_INODE)
      for (const name of this.tree.names(directory)) {
        const node = this.names.lookup(directory, name);
        if (node !== undefined) found.set(name, node);
      }
    for (const [name, { node }] of this.names.entriesOf(directory) ?? [])
      if (node !== WHITEOUT) found.set(name, node);
    return found;
  }

  /** Everything visible, as text. */
  text(directory = ROOT_NODE): string {
    return [...this.children(directory)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, node]) => {
        const inode = this.names.inodes.get(node);
        const facts = inode
          ? `${inode.mode}/${inode.uid}/${inode.target ?? ''}/${[...(inode.xattrs ?? [])].join()}`
          : this.tree.pathOf(node);
        const inner = this.names.isDirectory(node) ? `{${this.text(node)}}` : '';
        return `${name}=${facts}@${this.names.pathOf(node)}${inner}`;
      })
      .join(' ');
  }

  /** A directory and a name in it. */
  place(numbers: readonly number[]): { parent: number; name: string } {
    let parent = ROOT_NODE;
    for (const number of numbers.slice(1)) {
      const folders = [...this.children(parent).values()].filter((node) => this.names.isDirectory(node));
      parent = folders[number % Math.max(1, folders.length)] ?? parent;
    }
    return { parent, name: NAMES[(numbers[0] ?? 0) % NAMES.length] ?? 'x' };
  }

  /** The record of a wish, or undefined where it can't be had. */
  record({ what, from, to }: Wish, at: number): OverlayRecord | undefined {
    const place = this.place(from);
    const node = this.names.lookup(place.parent, place.name);
    const inode = node === undefined ? undefined : this.names.inodes.get(node);
    if (what <= 1) {
      if (node !== undefined) return undefined;
      const mode = what === 0 ? S_IFDIR | 0o755 : S_IFLNK | 0o777;
      const target = what === 0 ? {} : { target: `to ${at}` };
      return { op: 'make', inode: this.names.nextInode, ...place, mode, uid: 1, gid: 2, at, ...target };
    }
    if (node === undefined) return undefined;
    if (what === 2) {
      if (!inode) return undefined;
      return { op: 'attributes', inode: node, mode: (inode.mode & ~0o777) | (at & 0o777), at };
    }
    if (what === 3) {
      if (!inode) return undefined;
      return { op: 'xattr', inode: node, name: 'user.x', value: Buffer.from(`${at}`).toString('base64'), at };
    }
    if (what === 4 && this.names.isDirectory(node) && !this.names.isEmpty(node)) return undefined;
    if (what === 4) return { op: 'remove', place, at };
    const target = this.place(to);
    const other = this.names.lookup(target.parent, target.name);
    if (node === other || this.names.isBelow(target.parent, node)) return undefined;
    const exchange = other !== undefined;
    if (exchange && this.names.isBelow(place.parent, other)) return undefined;
    const treePath = (moved: number): string | undefined =>
      this.names.inodes.has(moved) ? undefined : this.tree.pathOf(moved);
    const tree = treePath(node);
    const otherTree = other === undefined ? undefined : treePath(other);
    return {
      op: 'move',
      from: place,
      to: target,
      exchange,
      ...(tree === undefined ? {} : { tree }),
      ...(otherTree === undefined ? {} : { otherTree }),
      at,
    };
  }
}

describe('a journal that ends early', () => {
  it('gives the names as they were after its last whole record, wherever it is cut', () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-cut-'));
    try {
      fc.assert(
        fc.property(fc.array(wish, { maxLength: 40, size: 'max' }), (wishes) => {
          const path = join(folder, 'journal');
          rmSync(path, { force: true });
          const world = new World();
          const { journal } = Journal.open(path, () => {});
          const states = [{ sizeBytes: 0, text: world.text() }];
          for (const [at, wanted] of wishes.entries()) {
            const record = world.record(wanted, at);
            if (!record) continue;
            journal.append(record);
            world.names.apply(record);
            states.push({ sizeBytes: statSync(path).size, text: world.text() });
          }
          journal.close();
          const whole = readFileSync(path);
          for (const [i, { sizeBytes, text }] of states.entries()) {
            const next = states[i + 1]?.sizeBytes ?? sizeBytes;
            for (const cut of new Set([sizeBytes, sizeBytes + 1, (sizeBytes + next) >> 1, next - 1])) {
              if (cut < sizeBytes || (cut >= next && cut !== sizeBytes)) continue;
              writeFileSync(path, whole);
              truncateSync(path, cut);
              const again = new World();
              const opened = Journal.open(path, (record) => again.names.apply(record as OverlayRecord));
              opened.journal.close();
              expect(opened.tornBytes).toBe(cut - sizeBytes);
              expect(again.text()).toBe(text);
              expect(statSync(path).size).toBe(sizeBytes);
              // A rewritten journal says the same in fewer words.
              const rewritten = new World();
              for (const record of snapshotOf(again.names, again.tree)) rewritten.names.apply(record);
              expect(rewritten.text()).toBe(text);
            }
          }
        }),
        { numRuns: 60 },
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
