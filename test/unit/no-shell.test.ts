import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const SOURCE = resolve(import.meta.dirname, '../../src');

describe('programs', () => {
  it('are started by their arguments: no name ever goes through a shell', () => {
    const faults = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => {
        const text = readFileSync(join(SOURCE, name), 'utf8');
        const imported = [...text.matchAll(/import\s*\{([^}]*)\}\s*from 'node:child_process'/g)].flatMap(
          ([, names = '']) => names.split(',').map((one) => one.replace('type ', '').trim()),
        );
        const harmless = new Set([
          'spawn',
          'spawnSync',
          'execFile',
          'execFileSync',
          'fork',
          'ChildProcess',
          '',
        ]);
        const loose = imported.filter((one) => !harmless.has(one));
        const isWhole = /import\s*(?:\*|\w+)[^;]*'node:child_process'/.test(text);
        const hasShell = /\bshell:/.test(text);
        return loose.length > 0 || isWhole || hasShell ? [name] : [];
      });
    expect(faults).toEqual([]);
  });
});
