import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateCorruptError } from '../../../src/core/errors.ts';
import { Journal } from '../../../src/journal/journal.ts';
import type { JournalRecord } from '../../../src/journal/journal-frames.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function reopen(path: string): { records: JournalRecord[]; tornBytes: number } {
  const records: JournalRecord[] = [];
  const { journal, tornBytes } = Journal.open(path, (record) => records.push(record));
  journal.close();
  return { records, tornBytes };
}

describe('journal', () => {
  it('gives back what was appended, across openings', () => {
    const path = join(folder, 'j');
    const first = Journal.open(path, () => {}).journal;
    first.append({ op: 'a', name: 'Zürich/µ.tif' });
    first.close();
    const second = Journal.open(path, () => {}).journal;
    second.append({ op: 'b' });
    second.sync();
    second.close();
    expect(reopen(path).records).toEqual([{ op: 'a', name: 'Zürich/µ.tif' }, { op: 'b' }]);
  });

  it('cuts a torn tail at any byte and keeps every whole record', () => {
    const path = join(folder, 'j');
    const { journal } = Journal.open(path, () => {});
    const ends = [0];
    for (let i = 0; i < 5; i++) {
      journal.append({ i });
      ends.push(journal.sizeBytes);
    }
    journal.close();
    const whole = readFileSync(path);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length }), (length) => {
        writeFileSync(path, whole.subarray(0, length));
        const kept = ends.filter((end) => end > 0 && end <= length).length;
        const { records, tornBytes } = reopen(path);
        expect(records).toEqual(Array.from({ length: kept }, (_, i) => ({ i })));
        expect(tornBytes).toBe(length - (ends[kept] ?? 0));
        expect(reopen(path).tornBytes).toBe(0);
      }),
    );
  });

  it('refuses damage that has good records behind it', () => {
    const path = join(folder, 'j');
    const { journal } = Journal.open(path, () => {});
    for (let i = 0; i < 3; i++) journal.append({ i });
    journal.close();
    const bytes = readFileSync(path);
    bytes[14] = (bytes[14] ?? 0) ^ 0x40;
    writeFileSync(path, bytes);
    expect(() => reopen(path)).toThrow(StateCorruptError);
    truncateSync(path, 14);
    expect(reopen(path).records).toEqual([]);
  });

  it('is replaced whole', () => {
    const path = join(folder, 'j');
    const { journal } = Journal.open(path, () => {});
    for (let i = 0; i < 10; i++) journal.append({ i });
    journal.rewrite([{ state: 'all' }]);
    journal.append({ after: true });
    journal.close();
    expect(reopen(path).records).toEqual([{ state: 'all' }, { after: true }]);
  });
});
