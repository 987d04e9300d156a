import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { LandedReader } from '../../../src/materializer/landed-reader.ts';
import type { Landing } from '../../../src/materializer/landing.ts';
import { Materializer } from '../../../src/materializer/materializer.ts';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import type { LandingFormat } from '../../../src/model/landing-format.ts';
import { ngffProblems } from '../../interop/landing/ngff-problems.ts';
import { sealedBytes, smallTiff } from '../../interop/landing/small-tiff.ts';

const never = new AbortController().signal;
const PYTHON = '/usr/bin/python3';
const root = mkdtempSync(join(tmpdir(), 'platefs-histories-'));
const outputs: string[] = [];

const NAMES = [
  ...['A01', 'B02'].flatMap((well) =>
    [1, 2].flatMap((channel) => [1, 3].map((t) => `out/${well}_s001_w${channel}_z001_t00${t}.tif`)),
  ),
  'out/A01_s002_w1_z001_t001.tif',
  'out/A01_s001_w1_z001_t001_labels.tif',
  'out/A01_s001_w1_z001_t003_labels.tif',
  'masks/A01_s001_w1_z001_t001.tif',
  'stack.tif',
  'notes.csv',
];

const FORMATS: readonly LandingFormat[] = [
  {},
  { ngff: '0.5', codec: { name: 'zstd', level: 3 } },
  { chunks: 'well', levels: 2 },
  { chunks: 'well', ngff: '0.5', codec: { name: 'gzip', level: 1 } },
  { chunks: 'sharded', levels: 3 },
  { chunks: 'sharded', codec: { name: 'none' } },
];

/** What is done to the files of a mount; numbers choose among what there is. */
type Step =
  | { readonly kind: 'write'; readonly names: readonly number[]; readonly seed: number }
  | { readonly kind: 'append' | 'cut' | 'patch'; readonly name: number; readonly seed: number }
  | { readonly kind: 'rename'; readonly name: number; readonly to: number }
  | { readonly kind: 'delete'; readonly names: readonly number[] }
  | { readonly kind: 'reopen'; readonly format: number };

const name = fc.nat(NAMES.length - 1);
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 5 });
const seed = fc.nat(200);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('write' as const), names, seed }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('append' as const, 'cut' as const, 'patch' as const),
      name,
      seed,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('rename' as const), name, to: name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), names }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('reopen' as const), format: fc.nat(FORMATS.length - 1) }),
  },
);

interface File {
  inode: number;
  bytes: Buffer;
  landing: Landing;
}

/** Stands for the mount: the files there are, and the order in which landings are noted and removed. */
class Mount {
  readonly files = new Map<string, File>();
  readonly output: string;
  private readonly folder = mkdtempSync(join(root, 'run-'));
  private materializer: Materializer | undefined;
  private readonly living = new Set<number>();
  private lastInode = 0;
  private versions = 0;

  constructor() {
    this.output = join(this.folder, 'out');
  }

  async open(format: LandingFormat): Promise<void> {
    await this.materializer?.close();
    const isLive = (inode: number): boolean => this.living.has(inode);
    this.materializer = await Materializer.open(
      { outputDir: this.output, workers: 1, format, isLive },
      never,
    );
  }

  private get room(): Materializer {
    if (!this.materializer) throw new Error('not open');
    return this.materializer;
  }

  async close(): Promise<void> {
    await this.materializer?.close();
  }

  async write(contents: ReadonlyMap<string, Buffer>): Promise<void> {
    const sealed = [...contents].map(([path, bytes]) => {
      const inode = this.files.get(path)?.inode ?? ++this.lastInode;
      this.living.add(inode);
      return {
        path,
        bytes,
        file: sealedBytes(join(this.folder, 'in', String(++this.versions)), bytes, path, inode),
      };
    });
    const results = await this.room.land(
      sealed.map(({ file }) => file),
      never,
    );
    const replaced: [Landing, Landing][] = [];
    for (const { path, bytes, file } of sealed) {
      const result = results.find(({ inode }) => inode === file.inode);
      if (!result || 'error' in result) throw result?.error ?? new Error(`no result for ${path}`);
      const before = this.files.get(path);
      if (before) replaced.push([before.landing, result.landing]);
      this.files.set(path, { inode: file.inode, bytes, landing: result.landing });
    }
    await Promise.all(replaced.map(([before, after]) => this.room.remove(before, after)));
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.files.get(from);
    if (!file || from === to) return;
    await this.delete([to]);
    const landing = await this.room.relocate(file.landing, to, never);
    await this.room.remove(file.landing, landing);
    this.files.delete(from);
    this.files.set(to, { ...file, landing });
  }

  async delete(paths: readonly string[]): Promise<void> {
    const gone = paths.flatMap((path) => this.files.get(path) ?? []);
    for (const path of paths) this.files.delete(path);
    for (const { inode } of gone) this.living.delete(inode);
    await Promise.all(gone.map(({ landing }) => this.room.remove(landing)));
  }

  check(): void {
    expect(ngffProblems(join(this.output, 'results.ome.zarr'))).toEqual([]);
    const reader = new LandedReader(this.output, new ByteCache(0));
    for (const [path, { bytes, landing }] of this.files) {
      const back = Buffer.alloc(bytes.length);
      expect([path, reader.readSync(landing, 0, back.length, back)]).toEqual([path, bytes.length]);
      expect([path, back.equals(bytes)]).toEqual([path, true]);
    }
  }
}

/** What a program would write under a name. */
function contentOf(path: string, seed: number): Buffer {
  if (path.endsWith('.csv')) return Buffer.from(`a,b\n${seed},${seed * 7}\n`.repeat(1 + (seed % 5)));
  // Now and then of another size than the field has.
  return smallTiff(24 + (seed % 13 === 0 ? 5 : 0), 20, seed, seed % 3 !== 0);
}

function changed(kind: 'append' | 'cut' | 'patch', bytes: Buffer, seed: number): Buffer {
  if (kind === 'append') return Buffer.concat([bytes, Buffer.alloc(1 + (seed % 9), seed)]);
  if (kind === 'cut') return bytes.subarray(0, Math.floor((bytes.length * (seed % 100)) / 100));
  const patched = Buffer.from(bytes);
  const at = (seed * 37) % Math.max(1, bytes.length);
  patched.fill(seed, at, at + 11);
  return patched;
}

async function apply(mount: Mount, step: Step): Promise<void> {
  const nameAt = (index: number): string => NAMES[index] ?? '';
  switch (step.kind) {
    case 'write':
      return mount.write(
        new Map(
          step.names.map((index, place) => [nameAt(index), contentOf(nameAt(index), step.seed + place)]),
        ),
      );
    case 'rename':
      return mount.rename(nameAt(step.name), nameAt(step.to));
    case 'delete':
      return mount.delete(step.names.map(nameAt));
    case 'reopen':
      return mount.open(FORMATS[step.format] ?? {});
    default: {
      const path = nameAt(step.name);
      const bytes = mount.files.get(path)?.bytes;
      if (bytes) await mount.write(new Map([[path, changed(step.kind, bytes, step.seed)]]));
    }
  }
}

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('files that have landed', () => {
  it.each(FORMATS.map((format) => [JSON.stringify(format), format] as const))(
    'are overwritten, appended to, cut, renamed and deleted, and the store stays valid: %s',
    async (_, format) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 9 }), async (steps) => {
          const mount = new Mount();
          try {
            await mount.open(format);
            for (const one of steps) {
              await apply(mount, one);
              mount.check();
            }
            outputs.push(mount.output);
          } finally {
            await mount.close();
          }
        }),
        { numRuns: 3 },
      );
    },
  );

  it.skipIf(spawnSync(PYTHON, ['-c', 'import zarr']).status !== 0)(
    'leave stores in which zarr-python opens every array (needs python3-zarr)',
    () => {
      const script = join(import.meta.dirname, '../../interop/landing/open-stores.py');
      const run = spawnSync(PYTHON, [script], { input: outputs.join('\n') });
      expect(run.stderr.toString()).toBe('');
      expect(run.stdout.toString()).toMatch(/^[1-9]\d* arrays\n$/);
    },
  );
});
