import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type Identify, RenderKeys } from '../../../src/tree/render-keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('names of renders change with any file behind them, and are put together anew only then', () => {
  const keys = new RenderKeys();
  const files = ['a', 'b', 'absent'].map((name) => join(folder, name));
  for (const path of files.slice(0, 2)) writeFileSync(path, 'first');
  let made = 0;
  const make = (identify: Identify): string => {
    made++;
    return files.map(identify).join();
  };
  const first = keys.of(1, make);
  for (let again = 0; again < 3; again++) expect(keys.of(1, make)).toBe(first);
  expect(made).toBe(1);
  const seen = new Set([first]);
  const changes: (() => void)[] = [
    () => writeFileSync(files[0]!, 'longer now'),
    () => utimesSync(files[1]!, 1, 1),
    () => writeFileSync(files[2]!, 'it came'),
    () => rmSync(files[2]!),
    () => {
      writeFileSync(`${files[0]}.new`, 'longer now');
      renameSync(`${files[0]}.new`, files[0]!);
    },
    () => {
      rmSync(files[1]!);
      mkdirSync(files[1]!);
    },
  ];
  for (const [i, change] of changes.entries()) {
    change();
    const key = keys.of(1, make);
    expect(made).toBe(i + 2);
    expect(keys.of(1, make)).toBe(key);
    // The file that came is gone again: everything is as it was before.
    expect(seen.has(key)).toBe(i === 3);
    seen.add(key);
  }
  keys.clear();
  keys.of(1, make);
  expect(made).toBe(changes.length + 2);
  expect(keys.of(2, () => undefined)).toBeUndefined();
});
