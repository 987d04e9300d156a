import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NoSpaceError } from '../../../src/core/errors.ts';
import { LandedReader } from '../../../src/materializer/landed-reader.ts';
import type { Landing } from '../../../src/materializer/landing.ts';
import { Materializer, type MaterializerOptions } from '../../../src/materializer/materializer.ts';
import type { SealedFile } from '../../../src/materializer/sealed-file.ts';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import type { LandingFormat } from '../../../src/model/landing-format.ts';
import { ngffProblems } from '../../interop/landing/ngff-problems.ts';
import { sealedBytes, smallTiff, tiffStack } from '../../interop/landing/small-tiff.ts';

const never = new AbortController().signal;
let folder = '';
let output = '';
let materializer: Materializer;
let inode = 0;

const open = (options: Partial<MaterializerOptions> = {}): Promise<Materializer> =>
  Materializer.open({ outputDir: output, workers: 1, ...options }, never);

/** A new file of the mount. */
function written(mountPath: string, bytes: Uint8Array, owner = ++inode): SealedFile {
  return sealedBytes(join(folder, 'in', String(owner)), bytes, mountPath, owner);
}

async function land(...files: SealedFile[]): Promise<Landing[]> {
  const results = await materializer.land(files, never);
  return files.map((file) => {
    const result = results.find((one) => one.inode === file.inode);
    if (!result || 'error' in result) throw result?.error ?? new Error('no result');
    return result.landing;
  });
}

function bytesOfLanding(landing: Landing): Buffer {
  const bytes = Buffer.alloc(landing.sizeBytes);
  new LandedReader(output, new ByteCache(0)).readSync(landing, 0, bytes.length, bytes);
  return bytes;
}

const store = (...path: string[]): string => join(output, 'results.ome.zarr', ...path);
// biome-ignore lint/suspicious/noExplicitAny: the metadata under test has any shape
const json = (...path: string[]): any => JSON.parse(readFileSync(store(...path), 'utf8'));
const problems = (): string[] => ngffProblems(store());

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-landing-'));
  output = join(folder, 'out');
  materializer = await open();
});

afterEach(async () => {
  await materializer.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('planes of a plate', () => {
  it('become chunks of one image per well, group and site', async () => {
    const names = [
      'images/B03_s001_w1_z001_t001.tif',
      'images/A01_s001_w2_z003_t002.tif',
      'images/A01_s001_w1_z001_t001.tif',
      'images/A01_s002_w1_z001_t001.tif',
      'images/A01_s001_w1_z000_t001.tif',
      'results/A01_s001_w1_z001_t001_labels.tif',
      'AF48_s001_w1_z001_t001.tif',
    ];
    const landings = await land(...names.map((name, seed) => written(name, smallTiff(20, 16, seed))));
    expect(problems()).toEqual([]);
    const { plate } = json('.zattrs');
    expect(plate).toMatchObject({
      version: '0.4',
      rows: [{ name: 'A' }, { name: 'B' }, { name: 'AF' }],
      columns: [{ name: '01' }, { name: '03' }, { name: '48' }],
      wells: [
        { path: 'A/01', rowIndex: 0, columnIndex: 0 },
        { path: 'B/03', rowIndex: 1, columnIndex: 1 },
        { path: 'AF/48', rowIndex: 2, columnIndex: 2 },
      ],
    });
    const groups = plate.acquisitions.map(({ name }: { name: string }) => name);
    expect(groups.toSorted()).toEqual(['.', 'images', 'images projection']);
    expect(json('A/01/.zattrs').well.images).toHaveLength(3);
    const first = landings[2];
    expect(
      first?.kind === 'image' && json(first.path.slice('results.ome.zarr/'.length), '0/.zarray'),
    ).toMatchObject({
      shape: [2, 2, 3, 16, 20],
      chunks: [1, 1, 1, 16, 20],
      dtype: '<u2',
      dimension_separator: '/',
    });
    for (const [index, landing] of landings.entries()) {
      const placement = names[index]?.includes('labels') ? 'label' : 'plate';
      expect(landing).toMatchObject({ kind: 'image', placement, exactness: 'reassembled' });
      expect(bytesOfLanding(landing).equals(smallTiff(20, 16, index))).toBe(true);
    }
  });

  it('make their array grow, also after a restart', async () => {
    const [a] = await land(written('images/A01_s001_w1_z001_t001.tif', smallTiff(8, 8, 1)));
    await materializer.close();
    materializer = await open();
    const [b] = await land(written('images/A01_s001_w3_z001_t004.tif', smallTiff(8, 8, 2)));
    expect(a?.kind === 'image' && b?.kind === 'image' && a.path === b.path).toBe(true);
    expect(json('A/01/0/0/.zarray').shape).toEqual([4, 3, 1, 8, 8]);
    expect(problems()).toEqual([]);
    for (const [seed, landing] of [a, b].entries())
      expect(landing && bytesOfLanding(landing).equals(smallTiff(8, 8, seed + 1))).toBe(true);
  });

  it('of another size or type than their field become images of their own, with the reason', async () => {
    const [, odd] = await land(
      written('images/A01_s001_w1_z001_t001.tif', smallTiff(8, 8, 1)),
      written('images/A01_s001_w1_z001_t002.tif', smallTiff(9, 8, 2)),
    );
    expect(odd).toMatchObject({ kind: 'image', placement: 'multiscales' });
    expect(odd?.note).toMatch(/its field has 8 × 8 uint16, it has 9 × 8/);
    expect(problems()).toEqual([]);
  });

  it('never take the place of a living file', async () => {
    const [first, second] = await land(
      written('images/A01_s001_w1_z001_t001.tif', smallTiff(8, 8, 1)),
      written('images/A01_s001_w1_z001_t001.tiff', smallTiff(8, 8, 2)),
    );
    const [third] = await land(written('images/A01_s001_w1_z001_t001.TIF', smallTiff(8, 8, 3)));
    expect(second?.note).toMatch(/another file has its place/);
    for (const [seed, landing] of [first, second, third].entries())
      expect(landing && bytesOfLanding(landing).equals(smallTiff(8, 8, seed + 1))).toBe(true);
    expect(problems()).toEqual([]);
  });

  it('written again take their own place again', async () => {
    const name = 'images/A01_s001_w1_z001_t001.tif';
    const owner = ++inode;
    await land(written(name, smallTiff(8, 8, 1), owner));
    const [again] = await land(written(name, smallTiff(8, 8, 9), owner));
    expect(again).toMatchObject({ placement: 'plate', path: 'results.ome.zarr/A/01/0' });
    expect(again && bytesOfLanding(again).equals(smallTiff(8, 8, 9))).toBe(true);
  });

  it('keep an old landing from being served with new bytes', async () => {
    const name = 'images/A01_s001_w1_z001_t001.tif';
    const owner = ++inode;
    const [old] = await land(written(name, smallTiff(8, 8, 1), owner));
    await land(written(name, smallTiff(8, 8, 9), owner));
    expect(() => old && bytesOfLanding(old)).toThrow();
  });
});

describe('what the output folder already holds', () => {
  it('is never overwritten, and names that are ours are not taken', async () => {
    mkdirSync(join(output, 'inbox'), { recursive: true });
    writeFileSync(join(output, 'inbox/table.csv'), 'theirs');
    writeFileSync(join(output, 'notes'), 'a file where a folder is wanted');
    symlinkSync('/nowhere', join(output, 'link'));
    const landings = await land(
      written('inbox/table.csv', Buffer.from('ours')),
      written('notes/a.txt', Buffer.from('a')),
      written('link/b.txt', Buffer.from('b')),
      written('.platefs/c.txt', Buffer.from('c')),
      written('empty.txt', Buffer.alloc(0)),
    );
    expect(landings.map((landing) => landing.kind === 'plain' && landing.path)).toEqual([
      'inbox/table~2.csv',
      'notes~2/a.txt',
      'link~2/b.txt',
      '.platefs~2/c.txt',
      'empty.txt',
    ]);
    expect(readFileSync(join(output, 'inbox/table.csv'), 'utf8')).toBe('theirs');
    expect(bytesOfLanding(landings[0] as Landing).toString()).toBe('ours');
    expect(landings[0]?.note).toMatch(/was taken/);
  });

  it('stays when it is a store that PlateFS did not write', async () => {
    mkdirSync(store(), { recursive: true });
    writeFileSync(store('.zattrs'), '{"multiscales": []}');
    await expect(open()).rejects.toThrow(/not written by PlateFS/);
  });

  it('keeps its version when another is asked for, and says so; new images get what was asked for', async () => {
    const [old] = await land(written('a/A01_s001_w1_z001_t001.tif', smallTiff(8, 8, 1)));
    await materializer.close();
    const notes: string[] = [];
    const format: LandingFormat = { chunks: 'sharded', codec: { name: 'gzip', level: 2 }, levels: 2 };
    materializer = await open({ format, onNote: (note) => notes.push(note) });
    expect(notes).toEqual([expect.stringMatching(/is OME-NGFF 0.4: results go on .* a file for each plane/)]);
    const [grown, fresh] = await land(
      written('a/A01_s001_w1_z001_t002.tif', smallTiff(8, 8, 2)),
      written('b/A01_s001_w1_z001_t001.tif', smallTiff(8, 8, 3)),
    );
    expect(json('A/01/0/0/.zarray')).toMatchObject({ shape: [2, 1, 1, 8, 8], compressor: { id: 'blosc' } });
    expect(json('A/01/1/1/.zarray')).toMatchObject({
      shape: [1, 1, 1, 4, 4],
      compressor: { id: 'gzip', level: 2 },
    });
    expect(problems()).toEqual([]);
    for (const [index, landing] of [old, grown, fresh].entries())
      expect(landing && bytesOfLanding(landing).equals(smallTiff(8, 8, index + 1))).toBe(true);
  });

  it('is read where an earlier version landed it, and goes on', async () => {
    const path = 'a/A01_s001_w1_z001_t001.tif';
    const bytes = smallTiff(8, 8, 1);
    const [landing] = await land(written(path, bytes));
    if (landing?.kind !== 'image') throw new Error('no image');
    // As it was when every plane was a chunk of zarr v2.
    const file = join(output, landing.sidecar);
    const record = readFileSync(file);
    const textBytes = record.readUInt32LE(8);
    const { version, planeBytes, checked, planes, ...same } = JSON.parse(
      record.toString('utf8', 12, 12 + textBytes),
    );
    const chunks = planes.map(([t, c, z, sum]: number[]) => [`${t}/${c}/${z}/0/0`, sum]);
    const earlier = Buffer.from(
      JSON.stringify({ ...same, codec: 'blosc-lz4', chunkBytes: planeBytes, chunks }),
    );
    const head = Buffer.from(record.subarray(0, 12));
    head.writeUInt32LE(earlier.length, 8);
    writeFileSync(file, Buffer.concat([head, earlier, record.subarray(12 + textBytes)]));
    await materializer.close();
    materializer = await open();
    expect(bytesOfLanding(landing).equals(bytes)).toBe(true);
    const moved = await materializer.relocate(landing, 'a/A01_s001_w1_z001_t002.tif', never);
    await materializer.remove(landing, moved);
    expect(bytesOfLanding(moved).equals(bytes)).toBe(true);
    expect(() => bytesOfLanding(landing)).toThrow();
    expect(problems()).toEqual([]);
  });

  it('keeps the time of a plain file, and the same file again lands in the same place', async () => {
    const file = { ...written('t.csv', Buffer.from('1')), mtimeMs: 1_600_000_000_000 };
    const [first] = await land(file);
    const [again] = await land(file);
    expect(again).toEqual(first);
    expect(statSync(join(output, 't.csv')).mtimeMs).toBe(1_600_000_000_000);
    expect(readdirSync(output).toSorted()).toEqual(['.platefs', 't.csv']);
  });
});

describe('bytes come back exactly', () => {
  it('for any damage to a TIFF, any holes, any byte order', async () => {
    const base = smallTiff(24, 20, 5, false);
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.integer({ min: 0, max: base.length + 50 }),
        async (littleEndian, damage, length) => {
          const bytes = Buffer.alloc(length);
          smallTiff(24, 20, 5, littleEndian).copy(bytes);
          for (const [at, value] of damage) if (at < length) bytes[at] = value;
          const [landing] = await land(written(`x/${inode + 1}.tif`, bytes));
          expect(landing && bytesOfLanding(landing).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
    expect(problems()).toEqual([]);
  });

  it('for a file in two pieces with a hole', async () => {
    const whole = smallTiff(40, 40, 3);
    whole.fill(0, 1000, 2000);
    const one = join(folder, 'one');
    const two = join(folder, 'two');
    writeFileSync(one, whole.subarray(0, 1000));
    writeFileSync(two, '');
    truncateSync(two, whole.length);
    writeFileSync(two, Buffer.concat([Buffer.alloc(2000, 0xff), whole.subarray(2000)]));
    const [landing] = await land({
      inode: ++inode,
      mountPath: 'images/A01_s001_w1_z001_t001.tif',
      sizeBytes: whole.length,
      mtimeMs: 0,
      pieces: [
        { path: two, offsetBytes: 2000, sizeBytes: whole.length - 2000 },
        { path: one, offsetBytes: 0, sizeBytes: 1000 },
      ],
    });
    expect(landing).toMatchObject({ kind: 'image', placement: 'plate' });
    expect(landing && bytesOfLanding(landing).equals(whole)).toBe(true);
  });

  it('for many files that wait in one worker, of both byte orders, some damaged', async () => {
    const contents = Array.from({ length: 24 }, (_, seed) => {
      const tiff = smallTiff(20 + (seed % 5), 16, seed, seed % 2 === 0);
      if (seed % 4 === 3) tiff.fill(seed, 9, 40);
      return tiff;
    });
    const landings = await land(...contents.map((bytes, index) => written(`x/${index}.tif`, bytes)));
    expect(landings.map((landing, index) => contents[index]?.equals(bytesOfLanding(landing)))).toEqual(
      contents.map(() => true),
    );
    expect(problems()).toEqual([]);
  });

  it.each([{}, { chunks: 'sharded', levels: 2 }] as const)(
    'for a large stack, whose pages the workers share: %o',
    async (format) => {
      await materializer.close();
      materializer = await open({ workers: 2, format });
      const bytes = tiffStack(1024, 1024, 17);
      const [landing] = await land(written('stack.tif', bytes));
      expect(landing).toMatchObject({ kind: 'image', placement: 'multiscales', exactness: 'reassembled' });
      expect(landing && bytesOfLanding(landing).equals(bytes)).toBe(true);
      expect(problems()).toEqual([]);
    },
  );

  it('or not at all once somebody has changed the chunk', async () => {
    const [landing] = await land(written('images/A01_s001_w1_z001_t001.tif', smallTiff(8, 8, 1)));
    const chunk = store('A/01/0/0/0/0/0/0/0');
    const bytes = readFileSync(chunk);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(chunk, bytes);
    expect(() => landing && bytesOfLanding(landing)).toThrow(/no longer those of images\/A01/);
  });

  it('a truncated TIFF and a text named .tif land as plain files that say why', async () => {
    const [cut, text] = await land(
      written('images/A01_s001_w1_z001_t001.tif', smallTiff(8, 8, 1).subarray(0, 200)),
      written('images/A01_s001_w1_z001_t002.tif', Buffer.from('no picture at all')),
    );
    expect(cut).toMatchObject({ kind: 'plain', path: 'images/A01_s001_w1_z001_t001.tif' });
    expect(cut?.note).toMatch(/bad TIFF/);
    expect(text?.note).toMatch(/named like a TIFF/);
    expect(existsSync(store())).toBe(false);
  });
});

describe('what is removed or renamed', () => {
  it('leaves a valid store and nothing behind', async () => {
    const landings = await land(
      written('images/A01_s001_w1_z001_t001.tif', smallTiff(8, 8, 1)),
      written('images/A01_s001_w2_z001_t001.tif', smallTiff(8, 8, 2)),
      written('images/B01_s001_w1_z001_t001.tif', smallTiff(8, 8, 3)),
      written('stack.tif', smallTiff(8, 8, 4)),
      written('t.csv', Buffer.from('1')),
    );
    for (const landing of landings) {
      await materializer.remove(landing);
      await materializer.remove(landing);
      expect(problems()).toEqual([]);
      expect(() => bytesOfLanding(landing)).toThrow();
    }
    expect(json('.zattrs')).toEqual({ platefs: { version: 1 } });
    expect(existsSync(join(output, 't.csv'))).toBe(false);
    const left = readdirSync(output, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(left.map((entry) => entry.name).filter((name) => !name.startsWith('.z'))).toEqual([]);
  });

  it('does not take along the file that landed in its place since', async () => {
    const name = 'images/A01_s001_w1_z001_t001.tif';
    await materializer.close();
    materializer = await open({ isLive: (owner) => owner !== 1001 });
    const [dead] = await land(written(name, smallTiff(8, 8, 1), 1001));
    const [living] = await land(written(name, smallTiff(8, 8, 2), 1002));
    expect(living).toMatchObject({ placement: 'plate', path: dead?.kind === 'image' ? dead.path : '' });
    if (dead) await materializer.remove(dead);
    expect(living && bytesOfLanding(living).equals(smallTiff(8, 8, 2))).toBe(true);
  });

  it('moves to where its new name puts it, with the same bytes', async () => {
    const bytes = smallTiff(8, 8, 1);
    const [plane, plain] = await land(
      written('images/A01_s001_w1_z001_t001.tif', bytes),
      written('a.tmp', bytes),
    );
    if (!plane || !plain) throw new Error('not landed');
    const move = async (from: Landing, to: string): Promise<Landing> => {
      const landing = await materializer.relocate(from, to, never);
      // Both are whole until the caller has journaled the new one; a crash repeats the step.
      expect(bytesOfLanding(from).equals(bytes)).toBe(true);
      expect(await materializer.relocate(from, to, never)).toEqual(landing);
      await materializer.remove(from, landing);
      expect(bytesOfLanding(landing).equals(bytes)).toBe(true);
      expect(problems()).toEqual([]);
      return landing;
    };
    const moved = await move(plane, 'images/C05_s001_w1_z001_t001.tif');
    expect(moved).toMatchObject({ placement: 'plate', path: 'results.ome.zarr/C/05/0' });
    const respelt = await move(moved, 'images/C05_s001_w1_z001_t001.tiff');
    const image = await move(plain, 'images/C05_s001_w2_z001_t001.tif');
    expect(image).toMatchObject({ kind: 'image', placement: 'plate' });
    const text = await move(respelt, 'b.bin');
    expect(text).toMatchObject({ kind: 'plain', path: 'b.bin' });
    const renamed = await move(text, 'deep/c.bin');
    for (const landing of [image, renamed]) expect(bytesOfLanding(landing).equals(bytes)).toBe(true);
    expect(existsSync(join(output, 'b.bin'))).toBe(false);
    expect(problems()).toEqual([]);
  });
});

describe('a full disk', () => {
  const canMount =
    process.getuid?.() === 0 &&
    spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', '-o', 'size=1M', 'none', '/mnt']).status === 0;

  it.skipIf(!canMount)('fails those files that do not fit, and lands the others (needs root)', async () => {
    await materializer.close();
    mkdirSync(output, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1M', 'platefs-test', output]);
    try {
      materializer = await open();
      const noise = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * index) >> 7));
      const files = [
        written('images/A01_s001_w1_z001_t001.tif', smallTiff(64, 64, 1)),
        written('big.bin', noise),
        written('images/A01_s001_w2_z001_t001.tif', smallTiff(64, 64, 2)),
        written('table.csv', Buffer.from('1')),
      ];
      const results = await materializer.land(files, never);
      const big = results.find((result) => result.inode === files[1]?.inode);
      expect(big && 'error' in big && big.error).toBeInstanceOf(NoSpaceError);
      const landed = results.filter((result) => 'landing' in result);
      expect(landed).toHaveLength(3);
      expect(problems()).toEqual([]);
      expect(readdirSync(join(output, '.platefs/staging/anybody'))).toEqual([]);
      await materializer.close();
    } finally {
      spawnSync('umount', ['-l', output]);
    }
  });

  it.skipIf(!canMount).each(['well', 'sharded'] as const)(
    'leaves a chunk file of several planes as it was, and takes more once there is room: %s (needs root)',
    async (chunks) => {
      await materializer.close();
      mkdirSync(output, { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1M', 'platefs-test', output]);
      try {
        materializer = await open({ format: { chunks, codec: { name: 'none' } } });
        const plane = (t: number): SealedFile =>
          written(`images/A01_s001_w1_z001_t00${t}.tif`, smallTiff(200, 200, t), 9000 + t);
        const first = await land(plane(1), plane(3));
        const shared = readdirSync(store('A/01/0/0'), { recursive: true, withFileTypes: true });
        expect(shared.filter((entry) => /^\d+$/.test(entry.name) && entry.isFile())).toHaveLength(1);
        const filler = join(output, 'filler');
        writeFileSync(filler, Buffer.alloc(600_000, 1));
        const [refused] = await materializer.land([plane(2)], never);
        expect(refused && 'error' in refused && refused.error).toBeInstanceOf(NoSpaceError);
        const check = (landings: readonly Landing[], ts: readonly number[]): void => {
          expect(problems()).toEqual([]);
          for (const [index, t] of ts.entries()) {
            const landing = landings[index];
            expect(landing && bytesOfLanding(landing).equals(smallTiff(200, 200, t))).toBe(true);
          }
        };
        check(first, [1, 3]);
        rmSync(filler);
        check([...first, ...(await land(plane(2)))], [1, 3, 2]);
        expect(readdirSync(join(output, '.platefs/staging/anybody'))).toEqual([]);
        await materializer.close();
      } finally {
        spawnSync('umount', ['-l', output]);
      }
    },
  );
});

it('says that it was cancelled, and leaves nothing staged', async () => {
  const results = await materializer.land([written('a.txt', Buffer.from('a'))], AbortSignal.abort());
  expect(results).toMatchObject([{ error: { tag: 'cancelled' } }]);
  expect(readdirSync(join(output, '.platefs/staging/anybody'))).toEqual([]);
});
