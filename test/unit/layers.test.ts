import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LAYERS } from '../../scripts/layers.ts';

const SRC = resolve(import.meta.dirname, '../../src');
const PLUGIN_FOLDERS = ['sources', 'encoders', 'formats', 'hooks', 'devices'];

function sourceFiles(): string[] {
  return readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(SRC, join(entry.parentPath, entry.name)));
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const specifiers = [...text.matchAll(/(?:from|import|import\()\s*'(\.[^']+)'/g)].map(
    (match) => match[1] ?? '',
  );
  const urls = [...text.matchAll(/new URL\('(\.[^']+\.ts)', import\.meta\.url\)/g)].map(
    (match) => match[1] ?? '',
  );
  return [...specifiers, ...urls].map((specifier) => relative(SRC, resolve(SRC, dirname(file), specifier)));
}

const roomOf = (file: string): string => file.split(sep)[0] ?? file;
const isPlugin = (file: string): boolean =>
  PLUGIN_FOLDERS.includes(roomOf(file)) && file.split(sep).length === 2;

describe('layers', () => {
  const files = sourceFiles();

  it('knows every room', () => {
    expect(files.map(roomOf).filter((room) => !(room in LAYERS))).toEqual([]);
  });

  it('lets arrows go down only', () => {
    const broken: string[] = [];
    for (const file of files) {
      const room = roomOf(file);
      for (const target of importsOf(file)) {
        const targetRoom = roomOf(target);
        if (targetRoom !== room && !LAYERS[room]?.includes(targetRoom)) broken.push(`${file} → ${target}`);
        if (isPlugin(target) && roomOf(file) !== 'registry.generated.ts')
          broken.push(`${file} → plugin ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });
});
