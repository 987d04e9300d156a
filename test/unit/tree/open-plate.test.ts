import {
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makePlate } from '../../../scripts/plate-maker/plate-maker.ts';
import type { PlateOptions } from '../../../scripts/plate-maker/plate-options.ts';
import {
  CancelledError,
  EmptyFolderError,
  NotAPlateError,
  PlateFsError,
  UnreadableSourceError,
} from '../../../src/core/errors.ts';
import type { FormatHandler } from '../../../src/formats.ts';
import { planeName } from '../../../src/model/plate-lookup.ts';
import { openPlate, recogniseAgain } from '../../../src/tree/open-plate.ts';
import { asPlainUser } from '../../fixtures/plain-user.ts';

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-open-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const signal = new AbortController().signal;
let made = 0;

/** A small plate whose folders look as if they had been at rest for a day. */
async function plate(options: Partial<PlateOptions> = {}) {
  made += 1;
  const folder = join(scratch, `plate${made}`);
  const truth = await makePlate(folder, {
    width: 16,
    height: 16,
    wells: ['A01'],
    sites: 1,
    zSteps: 2,
    ...options,
  });
  rest(folder);
  const cacheDir = join(scratch, `cache${made}`);
  const logged: string[] = [];
  const open = async () => {
    logged.length = 0;
    return openPlate(folder, { signal, cacheDir, log: (message) => logged.push(message) });
  };
  const cacheFile = (): string => join(cacheDir, readdirSync(cacheDir)[0] ?? '');
  return { folder, truth, cacheDir, open, logged, cacheFile };
}

/** Sets the mtimes of a tree's folders to the past. */
function rest(folder: string, when = new Date('2024-07-09T12:00:00.123Z')): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (entry.isDirectory()) utimesSync(join(entry.parentPath, entry.name), when, when);
  utimesSync(folder, when, when);
}

describe('the index cache', () => {
  it('gives back the index it was given', async () => {
    const { open, logged } = await plate({ missing: ['A01_s001_w1_z001_t001'] });
    const first = await open();
    const second = await open();
    expect([first.fromCache, second.fromCache, logged]).toEqual([false, true, []]);
    expect(second.index).toEqual(first.index);
    expect(second.index.planes.sites.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(planeName(second.index, 0)).toBe('A01_s001_w1_z001_t002.tif');
  });

  it('is found from a folder above the plate', async () => {
    const { open } = await plate({ shape: 'database' });
    await open();
    expect((await open()).fromCache).toBe(true);
  });

  it('is not used when a folder changed', async () => {
    const { open, truth, folder, logged } = await plate();
    await open();
    rmSync(join(truth.root, truth.planes[0]!.source));
    const { fromCache, index } = await open();
    expect(fromCache).toBe(false);
    expect(index.planes.count).toBe(truth.planes.length - 1);
    expect(logged.join()).toContain('TimePoint_1/ZStep_1 changed');
    rest(folder);
    await open();
    expect((await open()).fromCache).toBe(true);
  });

  it('is not used when the HTD or a TIFF that facts came from changed', async () => {
    for (const name of ['Demo_Plate_1.HTD', 'TimePoint_1/ZStep_1/Demo_Plate_1_A01_w1.tif']) {
      const { open, truth, folder, logged } = await plate();
      await open();
      writeFileSync(join(truth.root, name), 'changed');
      rest(folder);
      expect((await open()).fromCache).toBe(false);
      expect(logged.join()).toContain(`${name} changed`);
    }
  });

  it('is not used when it is truncated, damaged, foreign or of another layout', async () => {
    const { open, cacheFile, logged } = await plate();
    await open();
    const good = readFileSync(cacheFile());
    const damage = (at: number): Buffer => {
      const copy = Buffer.from(good);
      copy[at] = (copy[at] ?? 0) ^ 0xff;
      return copy;
    };
    const broken = [
      good.subarray(0, 0),
      good.subarray(0, 20),
      good.subarray(0, good.length - 1),
      Buffer.concat([good, Buffer.alloc(1)]),
      Buffer.alloc(4096),
      damage(0),
      damage(8),
      damage(12),
      damage(18),
      damage(40),
      damage(good.length - 1),
    ];
    for (const [i, bytes] of broken.entries()) {
      writeFileSync(cacheFile(), bytes);
      const { fromCache, index } = await open();
      expect([i, fromCache, index.planes.count]).toEqual([i, false, 8]);
      expect(logged.join()).toContain('is not used');
      expect(readFileSync(cacheFile()).length, 'written anew').toBe(good.length);
    }
  });

  it('is not written while the plate is being written', async () => {
    const { open, folder, logged, cacheDir } = await plate();
    rest(folder, new Date(Date.now() + 60_000));
    await open();
    expect(logged.join()).toContain('was being changed');
    expect(() => readdirSync(cacheDir)).toThrow();
  });

  it('that can not be written costs nothing but time', async () => {
    const { folder } = await plate();
    const logged: string[] = [];
    const cacheDir = join(folder, 'Demo_Plate_1.HTD', 'below-a-file');
    const { index } = await openPlate(folder, { signal, cacheDir, log: (message) => logged.push(message) });
    expect(index.planes.count).toBe(8);
    expect(logged.at(-1)).toContain('could not be cached');
    expect((await openPlate(folder, { signal, cacheDir: null })).fromCache).toBe(false);
  });
});

describe('recognising a plate that was opened before', () => {
  it('is done by its cached index while nothing changed, and by looking from then on', async () => {
    const { folder, open, cacheDir } = await plate();
    const looked = await recogniseAgain(folder, cacheDir, signal);
    expect(looked).toMatchObject({ format: 'imagexpress', root: folder });
    const { index } = await open();
    expect(await recogniseAgain(folder, cacheDir, signal)).toEqual({
      format: 'imagexpress',
      root: folder,
      descriptions: [],
      reason: index.facts.formatDetail,
    });
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'notes.txt'), 'nothing else');
    await expect(recogniseAgain(folder, cacheDir, signal)).rejects.toBeInstanceOf(NotAPlateError);
  });
});

describe('opening what is no plate', () => {
  const refusal = async (folder: string, handlers?: FormatHandler[]): Promise<PlateFsError> => {
    try {
      await openPlate(folder, { signal, cacheDir: null, ...(handlers ? { handlers } : {}) });
    } catch (error) {
      if (error instanceof PlateFsError) return error;
      throw error;
    }
    throw new Error('it was opened');
  };

  it('says what was seen and what is recognised', async () => {
    const folder = join(scratch, 'photos');
    await mkdir(folder);
    for (const name of ['a.jpg', 'b.jpg']) writeFileSync(join(folder, name), 'x');
    const error = await refusal(folder);
    expect(error).toBeInstanceOf(NotAPlateError);
    expect(error.message).toContain('a.jpg, b.jpg');
    expect(error.advice).toContain('ImageXpress / MetaXpress');
  });

  it('says when a folder is empty, a file, or not there', async () => {
    const empty = join(scratch, 'empty');
    await mkdir(empty);
    expect(await refusal(empty)).toBeInstanceOf(EmptyFolderError);
    const file = join(scratch, 'file.txt');
    writeFileSync(file, '');
    expect(await refusal(file)).toMatchObject({
      tag: 'not-a-plate',
      message: `${file} is not a plate: it is a file of no kind that is known by its name`,
    });
    for (const path of [join(scratch, 'nowhere'), join(file, 'below')]) {
      const error = await refusal(path);
      expect(error).toBeInstanceOf(UnreadableSourceError);
      expect(error.message).toContain('does not exist');
      expect(error.advice).toBeDefined();
    }
  });

  it('says when a folder may not be read', async () => {
    const folder = join(scratch, 'locked');
    await mkdir(folder);
    await chmod(folder, 0);
    await chmod(scratch, 0o755);
    expect((await asPlainUser(() => refusal(folder))).message).toContain('you may not read it');
    await chmod(folder, 0o700);
  });

  it('does not choose between two handlers that are both certain', async () => {
    const { folder } = await plate();
    const handler = (title: string): FormatHandler => ({
      id: title,
      title,
      detect: async () => ({ confidence: 'certain', reason: `${title}.xml` }),
      index: () => Promise.reject(new Error('not asked')),
    });
    const error = await refusal(folder, [handler('One'), handler('Two')]);
    expect(error.message).toContain('One (One.xml) and Two (Two.xml)');
  });

  it('says when a folder holds only containers of vendors, and what opens them', async () => {
    const folder = join(scratch, 'containers');
    await mkdir(join(folder, 'day 1'), { recursive: true });
    for (const name of ['day 1/b.lif', 'a.czi', 'notes.txt', '._a.tif', 'P_A01f00d0.C01'])
      writeFileSync(join(folder, name), '');
    const error = await refusal(folder);
    expect(error).toBeInstanceOf(NotAPlateError);
    expect(error.message).toBe(
      `${folder} is not a plate: it holds no images but 1 Cellomics image file (P_A01f00d0.C01), 1 Zeiss CZI file (a.czi) and 1 Leica LAS X project file (b.lif), whose format PlateFS passes through as it is and does not decode`,
    );
    expect(error.advice).toContain('ZEN or Fiji (Bio-Formats)');
    writeFileSync(join(folder, 'day 1', 'overview.tif'), '');
    expect((await refusal(folder)).message).not.toContain('passes through');
  });

  it('says when only an HTD is left', async () => {
    const { folder, truth } = await plate();
    for (const { source } of truth.planes) rmSync(join(folder, source));
    expect((await refusal(folder)).message).toContain('no image was found');
  });

  it('stops when cancelled', async () => {
    const { folder } = await plate();
    await expect(openPlate(folder, { signal: AbortSignal.abort(), cacheDir: null })).rejects.toBeInstanceOf(
      CancelledError,
    );
  });

  it('leaves the plate as it was', async () => {
    const { folder, open, truth } = await plate();
    truncateSync(join(truth.root, truth.planes[1]!.source), 9);
    rest(folder);
    const list = (): string[] => readdirSync(folder, { recursive: true }).map(String).sort();
    const before = [list(), statSync(folder).mtimeMs];
    await open();
    await open();
    expect([list(), statSync(folder).mtimeMs]).toEqual(before);
  });
});
