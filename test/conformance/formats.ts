import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CancelledError, UnreadableSourceError } from '../../src/core/errors.ts';
import type { FormatHandler, IndexOptions } from '../../src/formats.ts';
import { EXCLUSIONS, type PlateIndex, WHOLE_FILE } from '../../src/model/plate-index.ts';
import { filePath, planeByName, planeName } from '../../src/model/plate-lookup.ts';

/** What must come out of one plate. */
export interface FormatExample {
  readonly title: string;
  /** The folder to ask about. */
  readonly folder: string;
  /** The plate's root below or at it. */
  readonly root: string;
  /** Canonical name → path below the root, with `#page` behind it for a plane out of a container. */
  readonly planes: ReadonlyMap<string, string>;
  /** Path below the root → reason. */
  readonly excluded: ReadonlyMap<string, string>;
}

export interface FormatSuite {
  /** A handler of folders of unknown origin is never certain, and indexes by a layout. */
  readonly layoutOf?: (example: FormatExample) => string;
  /** Prepared once; may be empty where the data is absent. */
  examples(): Promise<readonly FormatExample[]>;
}

/** Name → path, or path`#`page, of every plane of an index. */
export function planesOf(index: PlateIndex): Map<string, string> {
  const planes = new Map<string, string>();
  for (let i = 0; i < index.planes.count; i += 1) {
    const page = index.planes.pages[i] ?? WHOLE_FILE;
    const path = filePath(index, index.planes.files[i] ?? 0);
    planes.set(planeName(index, i), page === WHOLE_FILE ? path : `${path}#${page}`);
  }
  return planes;
}

/** Path → reason of every file that is no plane. */
export function excludedOf(index: PlateIndex): Map<string, string> {
  const excluded = new Map<string, string>();
  for (let i = 0; i < index.files.count; i += 1)
    if (index.files.planes[i] === 0)
      excluded.set(filePath(index, i), EXCLUSIONS[index.files.exclusions[i] ?? 0] ?? '');
  return excluded;
}

const sorted = (map: ReadonlyMap<string, string>): [string, string][] =>
  [...map].sort((a, b) => (a[0] < b[0] ? -1 : 1));

/** What every format handler must do. */
export function formatConformance(handler: FormatHandler, suite: FormatSuite): void {
  const signal = new AbortController().signal;
  describe(`format handler ${handler.id}`, () => {
    const optionsFor = (example: FormatExample): IndexOptions =>
      suite.layoutOf ? { layout: suite.layoutOf(example) } : {};
    const anyOptions: IndexOptions = suite.layoutOf ? { layout: '{site}.tif' } : {};

    it('is certain of its own plates unless they need a layout, and names and sorts every file', async () => {
      for (const example of await suite.examples()) {
        const detection = await handler.detect(example.folder, signal);
        if (suite.layoutOf) expect(detection.confidence, example.title).toBe('no');
        else expect(detection, example.title).toMatchObject({ confidence: 'certain', root: example.root });
        const progress: number[] = [];
        const index = await handler.index(
          example.root,
          { ...optionsFor(example), onProgress: ({ files }) => progress.push(files) },
          signal,
        );
        expect(index.facts.format, example.title).toBe(handler.id);
        expect(sorted(planesOf(index)), example.title).toEqual(sorted(example.planes));
        expect(sorted(excludedOf(index)), example.title).toEqual(sorted(example.excluded));
        expect(progress.at(-1), example.title).toBe(index.files.count);
        const again = await handler.index(example.root, { ...optionsFor(example), previous: index }, signal);
        expect(sorted(planesOf(again)), example.title).toEqual(sorted(example.planes));
        expect(again.warnings, example.title).toEqual(index.warnings);
        for (let i = 0; i < index.planes.count; i += 1)
          expect(planeByName(index, planeName(index, i)), example.title).toBe(i);
      }
    });

    it('is not certain of an empty folder', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'platefs-empty-'));
      try {
        expect((await handler.detect(folder, signal)).confidence).not.toBe('certain');
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    it('says that a folder which is not there cannot be read', async () => {
      const folder = join(tmpdir(), 'platefs-no-such-folder');
      await expect(handler.detect(folder, signal)).rejects.toBeInstanceOf(UnreadableSourceError);
      await expect(handler.index(folder, anyOptions, signal)).rejects.toBeInstanceOf(UnreadableSourceError);
    });

    it('stops when it is cancelled', async () => {
      for (const example of (await suite.examples()).slice(0, 1))
        await expect(
          handler.index(example.root, optionsFor(example), AbortSignal.abort()),
        ).rejects.toBeInstanceOf(CancelledError);
    });
  });
}
