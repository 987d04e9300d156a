/**
 * Writes src/registry.generated.ts from the files in the plugin folders. `--check` only compares and fails
 * when the file is out of date.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SRC = new URL('../src/', import.meta.url);
const OUTPUT = new URL('registry.generated.ts', SRC);

/** `declares`: in a folder of several ports, what the port's files say they are: `const csv: TableEncoder = …`. */
const PORTS: readonly Port[] = [
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
    declares: ['ImageEncoder', 'ArrayEncoder'],
  },
  {
    folder: 'encoders',
    port: 'encoders.ts',
    type: 'TableEncoder',
    list: 'TABLE_ENCODERS',
    declares: ['TableEncoder'],
  },
  {
    folder: 'encoders',
    port: 'encoders.ts',
    type: 'SparseEncoder',
    list: 'SPARSE_ENCODERS',
    declares: ['SparseEncoder'],
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
];

interface Port {
  readonly folder: string;
  readonly port: string;
  readonly type: string;
  readonly list: string;
  readonly declares?: readonly string[];
}

function pluginFiles(folder: string): string[] {
  const url = new URL(`${folder}/`, SRC);
  if (!existsSync(url)) return [];
  return readdirSync(url, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => entry.name)
    .sort();
}

/** @throws Error when a file of the folder declares none of its ports. */
function filesOf({ folder, declares }: Port): string[] {
  const files = pluginFiles(folder);
  if (!declares) return files;
  const types = PORTS.filter((port) => port.folder === folder).flatMap((port) => port.declares ?? []);
  return files.filter((file) => {
    const text = readFileSync(new URL(`${folder}/${file}`, SRC), 'utf8');
    const own = types.filter((name) => new RegExp(`^const \\w+: ${name} =`, 'm').test(text));
    if (own.length !== 1) throw new Error(`${folder}/${file} declares no plugin of ${types.join(', ')}`);
    return declares.some((type) => own.includes(type));
  });
}

function render(): string {
  const imports = ["import type { PluginEntry } from './core/plugin.ts';"];
  const lists: string[] = [];
  for (const port of new Set(PORTS.map((entry) => entry.port))) {
    const types = PORTS.filter((entry) => entry.port === port).map(({ type }) => type);
    imports.push(`import type { ${types.join(', ')} } from './${port}';`);
  }
  for (const entry of PORTS) {
    const { folder, type, list } = entry;
    const rows = filesOf(entry).map((file) => {
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
