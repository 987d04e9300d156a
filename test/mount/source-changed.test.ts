import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateMount } from './plate-mount.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

describe.skipIf(problem)(`a source file that changes while it is mounted${why}`, () => {
  it('is shown as it is now, whole', async () => {
    let root = '';
    await using mount = await PlateMount.start({ prepare: (folder) => void (root = folder) });
    const found = (await mount.shell('cd source && find . -name "*.tif" | sort | head -1')).trim();
    await mount.shell(`cat "source/$1" "source/$1" > /dev/null`, found);
    const path = join(root, found);
    for (const text of ['short', 'much longer than it was '.repeat(400)]) {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
      expect(await mount.shell(`cat "source/$1" > /dev/null; cat "source/$1"`, found)).toBe(text);
    }
  });
});
