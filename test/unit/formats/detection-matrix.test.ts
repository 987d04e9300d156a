import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, symlink, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadAll } from '../../../src/core/plugin.ts';
import type { FormatHandler } from '../../../src/formats.ts';
import { FORMATS } from '../../../src/registry.generated.ts';
import { recognisePlate } from '../../../src/tree/recognise-plate.ts';
import { DATA_ROWS, PLATE_ROWS } from '../../fixtures/every-plate.ts';

/** Bytes read of each file that was opened, by whatever call. */
const read = vi.hoisted(() => new Map<string, number>());
/** How often each folder was listed. */
const listed = vi.hoisted(() => new Map<string, number>());
vi.mock(import('node:fs/promises'), async (importOriginal) => {
  const actual = await importOriginal();
  const counted: Pick<typeof actual, 'open' | 'readFile' | 'readdir'> = {
    readdir: (async (...values: Parameters<typeof actual.readdir>) => {
      listed.set(String(values[0]), (listed.get(String(values[0])) ?? 0) + 1);
      return actual.readdir(...values);
    }) as typeof actual.readdir,
    open: async (path, ...more) => {
      const handle = await actual.open(path, ...more);
      const original = handle.read.bind(handle) as (...values: unknown[]) => Promise<{ bytesRead: number }>;
      read.set(String(path), read.get(String(path)) ?? 0);
      const counting = async (...values: unknown[]): Promise<unknown> => {
        const result = await original(...values);
        read.set(String(path), (read.get(String(path)) ?? 0) + result.bytesRead);
        return result;
      };
      return Object.assign(handle, { read: counting });
    },
    readFile: (async (...values: Parameters<typeof actual.readFile>) => {
      const bytes = await actual.readFile(...values);
      read.set(String(values[0]), bytes.length);
      return bytes;
    }) as typeof actual.readFile,
  };
  return { ...actual, ...counted, default: { ...actual.default, ...counted } };
});
vi.mock(import('node:fs'), async (importOriginal) => {
  const actual = await importOriginal();
  const readFileSync = ((...values: Parameters<typeof actual.readFileSync>) => {
    const bytes = actual.readFileSync(...values);
    read.set(String(values[0]), bytes.length);
    return bytes;
  }) as typeof actual.readFileSync;
  const openSync: typeof actual.openSync = (path, ...more) => {
    read.set(String(path), read.get(String(path)) ?? 0);
    return actual.openSync(path, ...more);
  };
  return { ...actual, readFileSync, openSync, default: { ...actual.default, readFileSync, openSync } };
});

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const signal = new AbortController().signal;
const ids = new Set(FORMATS.map(({ id }) => id));
/** A TIFF's header, which may be looked at for a description; pixels lie behind it. */
const HEADER_BYTES = 32 << 10;

let scratch = '';
let handlers: FormatHandler[] = [];
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-matrix-'));
  handlers = await loadAll(FORMATS);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** Handler → how sure it is, those that say no left out. */
async function verdicts(folder: string): Promise<Record<string, string>> {
  const said: Record<string, string> = {};
  for (const handler of handlers) {
    const { confidence } = await handler.detect(folder, signal);
    if (confidence !== 'no') said[handler.id] = confidence;
  }
  return said;
}

/** Images and chunks: whatever holds pixels. */
const holdsPixels = (path: string): boolean =>
  /(?:\.(?:tiff?|png|c01|dib)|\/[\d.]+|\/c\/[\d/]+)$/i.test(path);

async function pixelFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter(holdsPixels);
}

/** What detection read of files with pixels; at most one header per handler is fair. */
async function expectNoPixelsRead(detect: () => Promise<unknown>): Promise<void> {
  read.clear();
  await detect();
  const opened = [...read].filter(([path]) => holdsPixels(path));
  expect(opened.length).toBeLessThanOrEqual(handlers.length);
  for (const [path, bytes] of opened) expect(bytes, path).toBeLessThanOrEqual(HEADER_BYTES);
}

let made = 0;
async function folderOf(make: (folder: string) => Promise<unknown>): Promise<string> {
  made += 1;
  const folder = join(scratch, `plate${made}`);
  await make(folder);
  return folder;
}

describe.each(PLATE_ROWS.filter(({ handler }) => ids.has(handler)))('$title', ({ handler, make }) => {
  it('is taken by its handler and by no other, without a look at pixels', async () => {
    const folder = await folderOf(make);
    const images = await pixelFiles(folder);
    expect(images.length).toBeGreaterThan(0);
    for (const image of images) await truncate(image, 8 << 20);
    await expectNoPixelsRead(() => verdicts(folder));
    const said = await verdicts(folder);
    expect(Object.keys(said)).toEqual([handler]);
  });

  it('is still taken when its images are empty', async () => {
    const folder = await folderOf(make);
    for (const image of await pixelFiles(folder)) await truncate(image, 0);
    expect(Object.keys(await verdicts(folder))).toEqual([handler]);
  });

  it('is still taken when its images can not be opened', async () => {
    const folder = await folderOf(make);
    for (const image of await pixelFiles(folder)) {
      await rm(image);
      await symlink('gone', image);
    }
    expect(Object.keys(await verdicts(folder))).toEqual([handler]);
  });
});

describe.skipIf(!existsSync(DATA))("the developers' data (skipped where ../shared/data is absent)", () => {
  const rows = DATA_ROWS.filter(([, handler]) => handler === undefined || ids.has(handler));
  it.each(rows)('%s is taken by %s and by no other', async (set, handler) => {
    await expectNoPixelsRead(() => verdicts(join(DATA, set)));
    const said = await verdicts(join(DATA, set));
    if (handler === undefined) expect(said).toEqual({});
    else expect(said).toEqual({ [handler]: 'certain' });
  });
});

it('lists a large folder a few times, not once per handler', async () => {
  const scanr = PLATE_ROWS.find(({ title }) => title === 'scanr without metadata')!;
  const folder = await folderOf(scanr.make);
  listed.clear();
  await recognisePlate(folder, signal);
  expect(listed.get(folder)).toBeGreaterThan(0);
  expect(listed.get(folder)).toBeLessThanOrEqual(5);
});

it('counts what is read of an image', async () => {
  const flat = PLATE_ROWS.find(({ title }) => title.includes('"htd":false') && title.includes('flat'))!;
  const folder = await folderOf(flat.make);
  read.clear();
  await verdicts(folder);
  const headers = [...read].filter(([path]) => holdsPixels(path));
  expect(headers.length).toBe(1);
  expect(headers[0]?.[1]).toBeGreaterThan(0);
});

it('has a row for every handler', () => {
  const rows = new Set([
    ...PLATE_ROWS.map(({ handler }) => handler),
    ...DATA_ROWS.map(([, handler]) => handler),
  ]);
  // One that takes a layout is only asked where no other knows the folder; one that indexes anything never is.
  const sure = handlers.filter(({ takesLayout, indexesAnything }) => !takesLayout && !indexesAnything);
  expect(sure.map(({ id }) => id).filter((id) => !rows.has(id))).toEqual([]);
});
