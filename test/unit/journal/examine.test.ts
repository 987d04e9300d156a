import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { examineJournal } from '../../../src/journal/examine.ts';
import { Journal } from '../../../src/journal/journal.ts';

let folder = '';
let path = '';
const records = [1, 2, 3, 4].map((number) => ({ number, text: 'x'.repeat(number * 10) }));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platefs-examine-'));
  path = join(folder, 'journal');
  const { journal } = Journal.open(path, () => {});
  for (const record of records) journal.append(record);
  journal.close();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('what lies in a journal', () => {
  it('is all its records where it is whole, and none where there is no journal', () => {
    expect(examineJournal(path, false)).toEqual({ records, damaged: [], tornBytes: 0 });
    expect(examineJournal(join(folder, 'none'), false).records).toEqual([]);
  });

  it('is told wherever one byte of it is another', () => {
    const bytes = readFileSync(path);
    const lengths = records.map((record) => 12 + JSON.stringify(record).length);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 0x10;
      writeFileSync(path, flipped);
      const { records: found, damaged, tornBytes } = examineJournal(path, false);
      let hit = 0;
      for (let end = lengths[0] ?? 0; end <= at; end += lengths[++hit] ?? 0);
      expect(found).toEqual(records.filter((_, i) => i !== hit));
      // A last record that does not end in the file looks like one that was being written.
      const isLast = hit === records.length - 1;
      expect([damaged.length, tornBytes]).toEqual(isLast && tornBytes > 0 ? [0, lengths[hit]] : [1, 0]);
    }
    expect(readFileSync(path).length).toBe(bytes.length);
  });
});
