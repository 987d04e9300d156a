import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readJsonObject } from '../../../src/zarr/json.ts';

it('a metadata file has the time that an index cache compares it with later', () => {
  const folder = mkdtempSync(join(tmpdir(), 'platefs-json-time-'));
  try {
    for (let number = 0; number < 100; number += 1) {
      const path = join(folder, `${number}.json`);
      writeFileSync(path, '{}');
      expect(readJsonObject(path).mtimeMs).toBe(Number(statSync(path, { bigint: true }).mtimeNs) / 1e6);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
