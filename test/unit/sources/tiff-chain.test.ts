import { mkdtempSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DirectoryChain,
  type FileVersion,
  RememberedChains,
} from '../../../src/sources/shared/tiff-chain.ts';
import tiff from '../../../src/sources/tiff.ts';
import { type PageToWrite, writeTiff } from '../../fixtures/tiff.ts';

let scratch = '';
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'platefs-chain-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const version = (path: string, mtimeMs = 1): FileVersion => ({
  path,
  device: 1n,
  inode: 2n,
  sizeBytes: 3,
  mtimeMs,
});

function chainOf(length: number): DirectoryChain {
  const chain = new DirectoryChain(8);
  for (let i = 1; i < length; i += 1) chain.push(8 + 100 * i);
  return chain;
}

describe('a chain of directories', () => {
  it('knows what it has met, also where links lead backwards', () => {
    const chain = new DirectoryChain(100);
    chain.push(300);
    expect([chain.has(100), chain.has(300), chain.has(200), chain.has(400)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    chain.push(200);
    expect([chain.has(200), chain.has(250), chain.has(300)]).toEqual([true, false, true]);
    expect([chain.length, chain.last, chain.at(1)]).toEqual([3, 200, 300]);
  });

  it('is remembered for its version of the file only, within a bound, oldest out first', () => {
    const chains = new RememberedChains(100);
    for (const path of ['a', 'b', 'c']) chains.keep(version(path), chainOf(30), 1e6);
    chains.recall(version('a'));
    chains.keep(version('d'), chainOf(30), 1e6);
    expect(['a', 'b', 'c', 'd'].map((path) => chains.recall(version(path)) !== undefined)).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(chains.count).toBe(90);
    expect(chains.recall(version('a', 2))).toBeUndefined();
    chains.keep(version('big'), chainOf(101), 1e6);
    expect(chains.recall(version('big'))).toBeUndefined();
  });

  it('is not remembered of a file that was written just before', () => {
    const chains = new RememberedChains();
    chains.keep(version('a', 1_000_001.5), chainOf(30), 1_000_010);
    expect(chains.recall(version('a', 1_000_001.5))).toBeUndefined();
  });
});

const page = (value: number): PageToWrite => ({
  width: 4,
  height: 2,
  bits: 8,
  pixels: new Uint8Array(8).fill(value),
});
const firstPixel = (path: string, index: number): number | undefined =>
  tiff.readPlaneSync?.(path, index).bytes[0];

describe('reading pages of one file again and again', () => {
  it('gives the pages of the file as it is now, after it was replaced or has grown', () => {
    const path = join(scratch, 'a.tif');
    const save = (offset: number): void => {
      writeFileSync(path, writeTiff({ pages: Array.from({ length: 40 }, (_, i) => page(i + offset)) }));
      utimesSync(path, offset + 1, offset + 1);
    };
    save(0);
    expect([39, 5, 39, 0].map((index) => firstPixel(path, index))).toEqual([39, 5, 39, 0]);
    expect(() => firstPixel(path, 40)).toThrow(/page 40 is wanted/);
    save(100);
    expect([39, 5].map((index) => firstPixel(path, index))).toEqual([139, 105]);
    // One page more, whose directory the last one is linked to; size and time stay as they were.
    const bytes = readFileSync(path);
    const first = bytes.readUInt32LE(4);
    let last = first;
    for (let next = first; next !== 0; ) {
      last = next;
      next = bytes.readUInt32LE(last + 2 + 12 * bytes.readUInt16LE(last));
    }
    const link = last + 2 + 12 * bytes.readUInt16LE(last);
    const room = Buffer.alloc(bytes.length + 4096);
    bytes.copy(room);
    writeFileSync(path, room);
    utimesSync(path, 50, 50);
    expect(firstPixel(path, 39)).toBe(139);
    const copy = bytes.subarray(last, link + 4);
    copy.copy(room, bytes.length);
    room.writeUInt32LE(bytes.length, link);
    writeFileSync(path, room);
    utimesSync(path, 50, 50);
    expect(firstPixel(path, 40)).toBe(139);
    truncateSync(path, bytes.length - 3000);
    expect(() => firstPixel(path, 39)).toThrow();
  });
});
