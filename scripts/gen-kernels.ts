/**
 * Compiles src/devices/shared/*.as.ts (AssemblyScript) to WebAssembly and writes each beside its source as
 * base64 in a *.generated.ts. `--check` only compares and fails when one is out of date.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const FOLDER = new URL('../src/devices/shared/', import.meta.url);
/** Characters of base64 per source line. */
const LINE_LENGTH = 100;

async function compile(source: string): Promise<Uint8Array> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      source,
      '--outFile',
      'kernel.wasm',
      '--runtime',
      'stub',
      '--importMemory',
      '--noAssert',
      '--optimizeLevel',
      '3',
      '--shrinkLevel',
      '0',
      '--enable',
      'simd',
    ],
    {
      readFile: (name) => (name === source ? readFileSync(new URL(name, FOLDER), 'utf8') : null),
      writeFile: (name, contents) => {
        if (name === 'kernel.wasm' && typeof contents !== 'string') binary = contents;
      },
      listFiles: () => [],
    },
  );
  if (error || binary === undefined) throw error ?? new Error(`${source}: no code came out: ${stderr}`);
  return binary;
}

function render(source: string, binary: Uint8Array): string {
  const constant = `${source.slice(0, -'.as.ts'.length).replaceAll('-', '_').toUpperCase()}_WASM`;
  const base64 = Buffer.from(binary).toString('base64');
  const lines = base64.match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return [
    `// Written by scripts/gen-kernels.ts from ${source}; do not edit.`,
    `export const ${constant} =`,
    `${lines.map((line) => `  '${line}'`).join(' +\n')};`,
    '',
  ].join('\n');
}

const sources = readdirSync(FOLDER).filter((name) => name.endsWith('.as.ts'));
for (const source of sources.sort()) {
  const output = new URL(source.replace(/\.as\.ts$/, '.generated.ts'), FOLDER);
  const text = render(source, await compile(source));
  if (!process.argv.includes('--check')) writeFileSync(output, text);
  else if (!existsSync(output) || readFileSync(output, 'utf8') !== text) {
    console.error(`${fileURLToPath(output)} is out of date: run 'node scripts/gen-kernels.ts'`);
    process.exitCode = 1;
  }
}
