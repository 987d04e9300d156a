/**
 * Writes src/registry.generated.ts from the files in the plugin folders. `--check` only compares and fails
 * when the file is out of date.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SRC = new URL('../src/', import.meta.url);
const OUTPUT = new URL('registry.generated.ts', SRC);

const PORTS = [
  {
    folder: 'sources',
    port: 'sources.ts',
    type: 'SourceDriver',
    list: 'SOURCES',
  },
  {
    folder: 'encoders',
    port: 'encoders.ts',
    type: 'Encoder',
    list: 'ENCODERS',
  },
  {
    folder: 'formats',
    port: 'formats.ts',
    type: 'FormatHandler',
    list: 'FORMATS',
  },
  { folder: 'hooks', port: 'hooks.ts', type: 'Hook', list: 'HOOKS' },
  {
    folder: 'devices',
    port: 'devices.ts',
    type: 'ComputeDevice',
    list: 'DEVICES',
  },
] as const;

function pluginFiles(folder: string): string[] {
  const url = new URL(`${folder}/`, SRC);
  if (!existsSync(url)) return [];
  return readdirSync(url, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => entry.name)
    .sort();
}

function render(): string {
  const imports = ["import type { PluginEntry } from './core/plugin.ts';"];
  const lists: string[] = [];
  for (const { folder, port, type, list } of PORTS) {
    imports.push(`import type { ${type} } from './${port}';`);
    const rows = pluginFiles(folder).map((file) => {
      const id = file.slice(0, -'.ts'.length);
      return `  { id: '${id}', load: async () => (await import('./${folder}/${file}')).default },`;
    });
    lists.push(
      `export const ${list}: readonly PluginEntry<${type}>[] = [\n${rows.join('\n')}${rows.length ? '\n' : ''}];`,
    );
  }
  return `// Written by scripts/gen-registry.ts from the plugin folders; do not edit.\n${imports.join('\n')}\n\n${lists.join('\n\n')}\n`;
}

const text = render();
if (process.argv.includes('--check')) {
  const current = existsSync(OUTPUT) ? readFileSync(OUTPUT, 'utf8') : '';
  if (current !== text) {
    console.error(`${fileURLToPath(OUTPUT)} is out of date: run 'npm run generate'`);
    process.exitCode = 1;
  }
} else {
  writeFileSync(OUTPUT, text);
}
