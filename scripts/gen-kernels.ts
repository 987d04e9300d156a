/**
 * Compiles every src/**\/*.as.ts (AssemblyScript) to WebAssembly and writes each beside its source as
 * base64 in a *.generated.ts; what they import lies in *.part.as.ts. `--check` only compares and fails when one is
 * out of date.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const FOLDER = fileURLToPath(new URL('../src/', import.meta.url));
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
      readFile: (name) => (existsSync(join(FOLDER, name)) ? readFileSync(join(FOLDER, name), 'utf8') : null),
      writeFile: (name, contents) => {
        if (name === 'kernel.wasm' && typeof contents !== 'string') binary = contents;
      },
      listFiles: () => [],
    },
  );
  if (error || binary === undefined)
    throw new Error(`${source}: no code came out: ${stderr}`, { cause: error });
  return binary;
}

function render(source: string, binary: Uint8Array): string {
  const constant = `${basename(source, '.as.ts').replaceAll('-', '_').toUpperCase()}_WASM`;
  const base64 = Buffer.from(binary).toString('base64');
  const lines = base64.match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return [
    `// Written by scripts/gen-kernels.ts from ${basename(source)}; do not edit.`,
    `export const ${constant} =`,
    `${lines.map((line) => `  '${line}'`).join(' +\n')};`,
    '',
  ].join('\n');
}

const sources = readdirSync(FOLDER, { encoding: 'utf8', recursive: true }).filter(
  (name) => name.endsWith('.as.ts') && !name.endsWith('.part.as.ts'),
);
for (const source of sources.sort()) {
  const output = join(FOLDER, source.replace(/\.as\.ts$/, '.generated.ts'));
  const text = render(source, await compile(source));
  if (!process.argv.includes('--check')) writeFileSync(output, text);
  else if (!existsSync(output) || readFileSync(output, 'utf8') !== text) {
    console.error(`${output} is out of date: run 'node scripts/gen-kernels.ts'`);
    process.exitCode = 1;
  }
}
