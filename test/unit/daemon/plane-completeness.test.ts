import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PlaneCompleteness } from '../../../src/daemon/plane-completeness.ts';
import { EXCLUSIONS, type PlateIndex } from '../../../src/model/plate-index.ts';
import { PlateIndexBuilder } from '../../../src/model/plate-index-builder.ts';
import { planeName } from '../../../src/model/plate-lookup.ts';

let folder = '';
let nowMs = 0;
const whole = new Set<string>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-complete-'));
  nowMs = 0;
  whole.clear();
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Facts are drawn from the files of these names, as they are now. */
function plate(names: readonly string[], evidence: readonly string[] = []): PlateIndex {
  const builder = new PlateIndexBuilder(folder);
  for (const [i, name] of names.entries()) {
    const file = builder.addFile(0, name);
    builder.addPlane(file, 0, 0, i + 1, 1, 1, 1, '.tif');
    if (!evidence.includes(name)) continue;
    const { size, mtimeNs } = statSync(join(folder, name), { bigint: true });
    builder.addEvidence(file, Number(size), Number(mtimeNs) / 1e6);
  }
  return builder.finish({ name: 'p', format: 'x', formatDetail: '', channels: [] });
}

const write = (name: string, text = 'x'): void => writeFileSync(join(folder, name), text);
const shown = (index: PlateIndex): string[] =>
  Array.from({ length: index.planes.count }, (_, i) => planeName(index, i).slice(0, 8));
const completeness = (isLocalDisk = true, shown?: PlateIndex): PlaneCompleteness =>
  new PlaneCompleteness({ isWhole: (path) => whole.has(path), isLocalDisk, nowMs: () => nowMs }, shown);

describe('a plane that arrives', () => {
  it('is shown when it is whole and has been left alone for a moment', () => {
    write('a.tif');
    write('b.tif');
    const index = plate(['a.tif', 'b.tif']);
    const looks = completeness();
    whole.add(join(folder, 'b.tif'));
    const first = looks.look(index, () => true);
    expect(shown(first.index)).toEqual([]);
    expect(first.waiting).toBe(2);
    expect(first.index.warnings.at(-1)).toMatchObject({
      kind: 'unfinished-image',
      files: ['a.tif', 'b.tif'],
    });
    expect(EXCLUSIONS[first.index.files.exclusions[0] ?? 0]).toBe('incomplete');
    nowMs = 400;
    write('b.tif', 'longer');
    looks.look(index, () => true);
    nowMs = 800;
    expect(shown(looks.look(index, () => true).index)).toEqual([]);
    nowMs = 1000;
    const later = looks.look(index, () => true);
    expect(shown(later.index)).toEqual(['A01_s002']);
    expect(later.waiting).toBe(1);
    whole.add(join(folder, 'a.tif'));
    expect(looks.look(index, () => true)).toMatchObject({ waiting: 0, index });
  });

  it('is shown with a warning when it was cut short and nobody goes on with it', () => {
    write('a.tif');
    const index = plate(['a.tif']);
    const looks = completeness();
    looks.look(index, () => true);
    nowMs = 31_000;
    const { index: result, waiting } = looks.look(index, () => true);
    expect(shown(result)).toEqual(['A01_s001']);
    expect(waiting).toBe(0);
    expect(result.warnings.at(-1)).toMatchObject({ kind: 'truncated-image', files: ['a.tif'] });
  });

  it('is not waited for when it is old, on a disk whose clock is ours', () => {
    write('a.tif');
    const hourAgo = Date.now() / 1000 - 3600;
    utimesSync(join(folder, 'a.tif'), hourAgo, hourAgo);
    whole.add(join(folder, 'a.tif'));
    const index = plate(['a.tif']);
    expect(completeness(true).look(index, () => true).waiting).toBe(0);
    expect(completeness(false).look(index, () => true).waiting).toBe(1);
  });

  it('that was shown before is never taken away', () => {
    write('a.tif');
    const index = plate(['a.tif', 'gone.tif']);
    expect(completeness().look(index, () => false)).toMatchObject({ waiting: 0, index });
  });
});

describe('an image that facts are drawn from', () => {
  const isNew = (): boolean => false;

  it('is not believed while it is being rewritten: the plate stays as it was shown, and that is told', () => {
    write('a.tif');
    write('b.tif');
    whole.add(join(folder, 'b.tif'));
    const shown = plate(['a.tif'], ['a.tif']);
    const looks = completeness(true, shown);
    expect(looks.look(shown, isNew, shown)).toMatchObject({ index: shown, waiting: 0, isOutdated: false });
    write('a.tif', 'half');
    const half = plate(['a.tif', 'b.tif'], ['a.tif']);
    const told = looks.look(half, isNew, shown);
    expect(told.index).toMatchObject({ facts: shown.facts, planes: shown.planes });
    expect(told.index.warnings.at(-1)).toMatchObject({ kind: 'unfinished-image', files: ['a.tif'] });
    expect(told.waiting).toBeGreaterThan(0);
    // What was said is not said twice.
    expect(looks.look(half, isNew, told.index).index.warnings).toHaveLength(told.index.warnings.length);
    write('a.tif', 'whole again');
    whole.add(join(folder, 'a.tif'));
    looks.look(half, isNew, shown);
    nowMs = 600;
    // What was read of it is of before: it has to be read again.
    expect(looks.look(half, isNew, shown)).toMatchObject({ index: shown, isOutdated: true });
    const after = plate(['a.tif', 'b.tif'], ['a.tif']);
    expect(looks.look(after, isNew, shown)).toMatchObject({ index: after, waiting: 0, isOutdated: false });
  });

  it('is looked into again when it is whole, where it had not been when it came', () => {
    write('a.tif');
    const index = plate(['a.tif'], ['a.tif']);
    const looks = completeness();
    expect(looks.look(index, () => true).waiting).toBe(1);
    write('a.tif', 'all of it');
    whole.add(join(folder, 'a.tif'));
    looks.look(index, () => true);
    nowMs = 600;
    expect(looks.look(index, () => true)).toMatchObject({ isOutdated: true });
    const again = plate(['a.tif'], ['a.tif']);
    expect(looks.look(again, () => true)).toMatchObject({ index: again, waiting: 0, isOutdated: false });
  });
});
