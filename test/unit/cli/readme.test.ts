import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMAND_NAMES } from '../../../src/cli/commands.ts';
import { readMountDefinition } from '../../../src/config/definition-file.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const README = readFileSync(resolve(ROOT, 'README.md'), 'utf8');

describe('README', () => {
  it('names only commands and npm scripts that exist', () => {
    const named = [...README.matchAll(/bin\/platefs (\w+)/g)].map(([, word]) => word);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((word) => word === undefined || !COMMAND_NAMES.includes(word))).toEqual([]);
    const { scripts } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as {
      scripts: object;
    };
    const run = [...README.matchAll(/npm (?:run )?(demo|test|check|generate|bench)\b/g)].map(
      ([, word]) => word,
    );
    expect(run.filter((word) => !(String(word) in scripts))).toEqual([]);
  });

  it('shows the rules of mounts/nuclei.yaml, which is a valid definition', async () => {
    const file = resolve(ROOT, 'mounts/nuclei.yaml');
    const text = readFileSync(file, 'utf8');
    expect(README).toContain(text.slice(text.indexOf('hooks:')).trimEnd());
    expect((await readMountDefinition(file)).hooks).toHaveLength(1);
  });
});
