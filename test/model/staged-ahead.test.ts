import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LandedReader } from '../../src/materializer/landed-reader.ts';
import type { Landing } from '../../src/materializer/landing.ts';
import { Materializer } from '../../src/materializer/materializer.ts';
import type { SealedFile } from '../../src/materializer/sealed-file.ts';
import { ByteCache } from '../../src/memory/byte-cache.ts';
import type { LandingFormat } from '../../src/model/landing-format.ts';
import { type StackWriter, type WriteCall, writeStack } from '../fixtures/tiff-writers.ts';
import { type DoubleHandle, KernelDouble } from './kernel-double.ts';
import { MemoryTree } from './memory-tree.ts';

const O_RDWR = 2;
const never = new AbortController().signal;
const WRITERS: readonly StackWriter[] = ['page by page', 'directories behind', 'ImageJ', 'contiguous'];

/** What happens between two calls of the program. */
type Meanwhile = 'nothing' | 'staged' | 'begun';

let double: KernelDouble;
let folder = '';
let files = 0;

beforeAll(() => {
  // In memory, where possible: landings wait for the disk.
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'platefs-ahead-'));
  double = new KernelDouble(
    (source) => new MemoryTree({}, source, (path, bytes) => writeFileSync(path, bytes)),
    512 * 2 ** 20,
  );
});

afterAll(() => {
  double.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const open = (name: string, format: LandingFormat = {}): Promise<Materializer> =>
  Materializer.open({ outputDir: join(folder, name), workers: 1, format }, never);

function fileOf(handle: DoubleHandle): SealedFile {
  const file = double.overlay.sealed.file(handle.node);
  if (!file) throw new Error('the file is not closed');
  return file;
}

async function stageAhead(materializer: Materializer, handle: DoubleHandle): Promise<void> {
  const file = double.overlay.sealed.watchGrowing(handle.node);
  if (file) await materializer.stageAhead(file, never);
}

async function land(materializer: Materializer, file: SealedFile): Promise<Landing> {
  const [result] = await materializer.land([file], never);
  if (!result || 'error' in result) throw result?.error ?? new Error('no result');
  return result.landing;
}

function bytesOf(name: string, landing: Landing): Buffer {
  const bytes = Buffer.alloc(landing.sizeBytes);
  new LandedReader(join(folder, name), new ByteCache(0)).readSync(landing, 0, bytes.length, bytes);
  return bytes;
}

function whatWasWritten(calls: readonly WriteCall[]): Buffer {
  const written = Buffer.alloc(
    Math.max(...calls.map(({ offsetBytes, bytes }) => offsetBytes + bytes.length)),
  );
  for (const { offsetBytes, bytes } of calls) bytes.copy(written, offsetBytes);
  return written;
}

/** The files of the store that landed, by path. */
function storeOf(name: string): Map<string, Buffer> {
  const root = join(folder, name, 'results.ome.zarr');
  const found = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    found.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(root.length), readFileSync(path)] as const;
    }),
  );
}

/** What is staged of files, by whichever process. */
const leftovers = (output: string): string[] =>
  readdirSync(join(output, '.platefs/staging'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /(^|\/)(ahead|batch)-/.test(path),
  );

const pixelOf = (page: number, pixel: number): number => (pixel >> 2) * (page + 3) + page;

/** Inodes of the files on disk that were staged ahead and of the chunks that landed. */
function inodesBelow(path: string, isWanted: (name: string) => boolean): Set<number> {
  const found = readdirSync(path, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && isWanted(join(entry.parentPath, entry.name)),
  );
  return new Set(found.map((entry) => statSync(join(entry.parentPath, entry.name)).ino));
}

describe('pages of large TIFFs, staged while a program writes them', () => {
  const size = { width: 320, height: 240, pages: 12 };

  it('all but the last are ready when the file is closed, whoever writes it, and are what lands', async () => {
    const materializer = await open('ready', { levels: 2 });
    const output = join(folder, 'ready');
    try {
      for (const writer of WRITERS) {
        const name = `${writer.replaceAll(' ', '-')}.tif`;
        const handle = double.create([name], 0o644, O_RDWR);
        const calls = writeStack(writer, size, pixelOf);
        for (const { offsetBytes, bytes } of calls) {
          double.write(handle, offsetBytes, bytes);
          await stageAhead(materializer, handle);
        }
        const ahead = inodesBelow(join(output, '.platefs/staging'), () => true);
        // A pixel of a page that was staged: that page is staged anew, and no other.
        const [, , , fourth] = calls.filter(({ bytes }) => bytes.length > 200);
        const again = { offsetBytes: (fourth?.offsetBytes ?? 0) + 5000, bytes: Buffer.of(1, 255) };
        double.write(handle, again.offsetBytes, again.bytes);
        expect(ahead.size, writer).toBeGreaterThanOrEqual(2 * (size.pages - 1));
        double.close(handle);
        const landing = await land(materializer, fileOf(handle));
        expect(landing, writer).toMatchObject({ kind: 'image', exactness: 'reassembled' });
        const chunks = inodesBelow(join(output, 'results.ome.zarr', name), (path) => /\/\d+$/.test(path));
        expect(chunks.size).toBe(2 * size.pages);
        expect([...chunks].filter((inode) => ahead.has(inode)).length, writer).toBe(ahead.size - 2);
        expect(bytesOf('ready', landing).equals(whatWasWritten([...calls, again])), writer).toBe(true);
        expect(leftovers(output), writer).toEqual([]);
      }
    } finally {
      await materializer.close();
    }
  });

  it('nothing of it is seen before the landing, and nothing is left of a file that is removed', async () => {
    const materializer = await open('unseen');
    const output = join(folder, 'unseen');
    double.overlay.store.growing.onGone = (inode) => materializer.forgetAhead(inode);
    try {
      const handle = double.create(['gone.tif'], 0o644, O_RDWR);
      for (const { offsetBytes, bytes } of writeStack('page by page', size, pixelOf))
        double.write(handle, offsetBytes, bytes);
      await stageAhead(materializer, handle);
      expect(readdirSync(output)).toEqual(['.platefs']);
      expect(inodesBelow(join(output, '.platefs'), () => true).size).toBe(size.pages);
      double.request((front, context) => front.unlink(context, 1, 'gone.tif'));
      double.close(handle);
      await expect.poll(() => leftovers(output), { timeout: 20_000 }).toEqual([]);
    } finally {
      double.overlay.store.growing.onGone = () => {};
      await materializer.close();
    }
  });

  it('a file that is no image after all stays the plain file that was written', async () => {
    const materializer = await open('plain');
    try {
      const handle = double.create(['torn.tif'], 0o644, O_RDWR);
      const calls = writeStack('page by page', size, pixelOf);
      for (const { offsetBytes, bytes } of calls.slice(0, -1)) double.write(handle, offsetBytes, bytes);
      await stageAhead(materializer, handle);
      double.close(handle);
      const landing = await land(materializer, fileOf(handle));
      expect(landing.kind).toBe('plain');
      expect(bytesOf('plain', landing).equals(whatWasWritten(calls.slice(0, -1)))).toBe(true);
    } finally {
      await materializer.close();
    }
  });

  it('whatever is written over what was staged, and when: the store is the one that lands without it', async () => {
    const formats: readonly LandingFormat[] = [
      { levels: 2 },
      { chunks: 'sharded', ngff: '0.5' },
      { chunks: 'well' },
    ];
    const ahead = await Promise.all(formats.map((format, index) => open(`ahead-${index}`, format)));
    const behind = await Promise.all(formats.map((format, index) => open(`behind-${index}`, format)));
    const meanwhile = fc.constantFrom<Meanwhile>('nothing', 'staged', 'begun');
    const overwrite = fc.record({
      after: fc.double({ min: 0.3, max: 1, maxExcluded: true, noNaN: true }),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      sizeBytes: fc.constantFrom(1, 2, 100, 9000),
      value: fc.nat(255),
      meanwhile,
    });
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            writer: fc.constantFrom(...WRITERS),
            isLittle: fc.boolean(),
            width: fc.constantFrom(40, 256),
            height: fc.constantFrom(8, 200),
            pages: fc.integer({ min: 1, max: 6 }),
            steps: fc.array(meanwhile, { maxLength: 24 }),
            overwrites: fc.array(overwrite, { maxLength: 3 }),
            cut: fc.oneof(
              { weight: 8, arbitrary: fc.constant(null) },
              fc.double({ min: 0, max: 1, noNaN: true }),
            ),
            format: fc.nat(formats.length - 1),
          }),
          async ({ writer, isLittle, steps, overwrites, cut, format, ...sizes }) => {
            const materializer = ahead[format];
            const reference = behind[format];
            if (!materializer || !reference) throw new Error('no such format');
            const name = `random-${files++}.tif`;
            const handle = double.create([name], 0o644, O_RDWR);
            const under: Promise<void>[] = [];
            let sizeBytes = 0;
            const write = async (
              { offsetBytes, bytes }: WriteCall,
              then: Meanwhile | undefined,
            ): Promise<void> => {
              double.write(handle, offsetBytes, bytes);
              sizeBytes = Math.max(sizeBytes, offsetBytes + bytes.length);
              if (then === 'staged') await stageAhead(materializer, handle);
              if (then === 'begun') under.push(stageAhead(materializer, handle));
            };
            const calls = writeStack(writer, sizes, pixelOf, isLittle);
            for (const [index, call] of calls.entries()) {
              await write(call, steps[index]);
              for (const { after, at, sizeBytes: count, value, meanwhile: then } of overwrites) {
                if (Math.floor(after * calls.length) !== index) continue;
                // Pixels: where directories are hit, the file is no image.
                const pixels = calls.slice(0, index + 1).filter((one) => one.bytes.length > 200);
                const hit = pixels[Math.floor(at * 997) % pixels.length];
                if (!hit) continue;
                const inside = Math.floor(at * Math.max(0, hit.bytes.length - count));
                const bytes = Buffer.alloc(Math.min(count, hit.bytes.length), value);
                await write({ offsetBytes: hit.offsetBytes + inside, bytes }, then);
              }
            }
            if (cut !== null)
              double.request((front, context) =>
                front.setattr(context, handle.node, {
                  sizeBytes: Math.floor(cut * sizeBytes),
                  throughHandle: true,
                }),
              );
            double.close(handle);
            const file = fileOf(handle);
            const landing = await land(materializer, file);
            const { rewritten: _, ...unstaged } = file;
            const expected = await land(reference, unstaged);
            await Promise.all(under);
            expect({ ...landing, id: '' }).toEqual({ ...expected, id: '' });
            expect(bytesOf(`ahead-${format}`, landing).equals(bytesOf(`behind-${format}`, expected))).toBe(
              true,
            );
          },
        ),
        { numRuns: 30 },
      );
      for (const index of formats.keys())
        expect(storeOf(`ahead-${index}`)).toEqual(storeOf(`behind-${index}`));
    } finally {
      await Promise.all([...ahead, ...behind].map((materializer) => materializer.close()));
    }
  }, 180_000);
});
