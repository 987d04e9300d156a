import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BadMetadataError } from '../../../src/core/errors.ts';
import { JsonReader } from '../../../src/formats/shared/json-reader.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-json-'));
afterAll(() => rmSync(folder, { recursive: true }));

function reading<T>(text: string | Buffer, read: (reader: JsonReader) => T): T {
  const path = join(folder, 'x.json');
  writeFileSync(path, text);
  const fd = openSync(path, 'r');
  try {
    return read(new JsonReader(fd, path));
  } finally {
    closeSync(fd);
  }
}

/** Everything a reader can say of a document. */
function whole(reader: JsonReader): unknown {
  const kind = reader.kind();
  if (kind === 'text') return reader.text();
  if (kind === 'word') return reader.number();
  if (kind === 'array') {
    const items: unknown[] = [];
    for (const _ of reader.items()) items.push(whole(reader));
    return items;
  }
  const object: Record<string, unknown> = {};
  for (const key of reader.keys()) object[key] = whole(reader);
  return object;
}

describe('the JSON reader', () => {
  it('reads what JSON.parse reads', () => {
    const value = {
      a: [1, -2.5e3, 'x "y" \\ \u00b5 \u{1f600}\n', [], {}],
      'k\t': { b: { c: [[0]] } },
      '': '',
    };
    for (const text of [
      JSON.stringify(value),
      JSON.stringify(value, null, 2),
      `\uFEFF ${JSON.stringify(value)}\n`,
    ])
      expect(reading(text, (reader) => [whole(reader), reader.finish()])[0]).toEqual(value);
    expect(reading('{"a": "\\u00e9\\ud83d\\ude00"}', whole)).toEqual({ a: 'é😀' });
  });

  it('reads texts wherever its window ends in them', () => {
    const value = ['é😀"\\ and more', { key: 12 }];
    for (let shift = 0; shift < 48; shift += 1)
      expect(reading(`${' '.repeat(256 * 1024 - shift)}${JSON.stringify(value)}`, whole)).toEqual(value);
  });

  it('passes over what is left alone', () => {
    const text =
      '{"skip": {"a": [1, "]}", {"b": null}], "c": NaN}, "keep": true, "more": [true, false, -Infinity]}';
    expect(
      reading(text, (reader) => {
        let kept = false;
        for (const key of reader.keys()) if (key === 'keep') kept = reader.isTrue();
        reader.finish();
        return kept;
      }),
    ).toBe(true);
    expect(reading('{"a": {"b": 1}, "c": 2}', (reader) => [...reader.keys()])).toEqual(['a', 'c']);
  });

  it.each([
    '',
    '{',
    '{"a"',
    '{"a":',
    '{"a": 1',
    '{"a": 1,}',
    '[1 2]',
    '[01]',
    '["a]',
    '["\\x"]',
    '["\n"]',
    '[nul]',
    '{a: 1}',
    '[1]]',
    '{"a": "b}',
    `${'['.repeat(1_000_000)}`,
    `${'{"a":'.repeat(500_000)}`,
    `["${'x'.repeat(70_000)}"]`,
    Buffer.from([0, 1, 2, 255]),
  ])('refuses %#', (text) => {
    expect(() => reading(text, (reader) => [whole(reader), reader.finish()])).toThrow(BadMetadataError);
  });
});
