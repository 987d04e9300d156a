/**
 * Prints the tables that live in code into the READMEs, between `<!-- name -->` and `<!-- /name -->`.
 * `--check` only compares and fails when a README is out of date.
 */
import { readFileSync } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import { allCommands } from '../src/cli/commands.ts';
import { EXIT_CODES } from '../src/cli/exit-codes.ts';
import { MOUNT_OPTIONS } from '../src/config/mount-options.ts';
import { errnoTable } from '../src/core/errno.ts';
import { loadAll } from '../src/core/plugin.ts';
import { FORMATS, HOOKS } from '../src/registry.generated.ts';
import { METRICS } from '../src/telemetry/metrics.ts';
import { settle } from './generated-text.ts';

const ROOT = new URL('../', import.meta.url);

/** A table padded the way the formatter pads it, so that formatting never changes what is generated. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [top = [], ...body] = all;
  return [line(top), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

/** The docstring of each error class, by tag. */
function errorTexts(): Map<string, string> {
  const source = readFileSync(new URL('src/core/errors.ts', ROOT), 'utf8');
  const classes = source.matchAll(/\/\*\* ([^*]+?) \*\/\nexport class \w+[^}]*?readonly tag = '([\w-]+)'/g);
  return new Map([...classes].map(([, text = '', tag = '']) => [tag, text]));
}

function errnoName(number: number): string {
  return getSystemErrorMap().get(-number)?.[0] ?? (number === 116 ? 'ESTALE' : String(number));
}

function errors(): string {
  const texts = errorTexts();
  const refusal = 'the file system call is refused with this errno';
  return table(
    ['tag', 'errno', 'when'],
    errnoTable().map(([tag, number]) => [`\`${tag}\``, errnoName(number), texts.get(tag) ?? refusal]),
  );
}

async function operations(): Promise<string> {
  const hooks = await loadAll(HOOKS);
  return table(
    ['operation', 'what it does', 'parameters'],
    hooks.map(({ id, title, parameters }) => [
      `\`${id}\``,
      title,
      parameters
        .map(({ name, default: preset, description }) => {
          const value = preset === undefined ? 'required' : JSON.stringify(preset);
          return `\`${name}\` (${value}): ${description}`;
        })
        .join('<br>') || 'none',
    ]),
  );
}

/** The formats that recognise a folder by themselves, as a sentence. */
async function formats(): Promise<string> {
  const handlers = (await loadAll(FORMATS)).filter(
    ({ takesLayout, indexesAnything }) => !takesLayout && !indexesAnything,
  );
  const titles = handlers.map(({ title }) => title).sort((a, b) => a.localeCompare(b, 'en'));
  return `${titles.slice(0, -1).join(', ')} and ${titles.at(-1)}.`;
}

const SECTIONS: Readonly<Record<string, () => string | Promise<string>>> = {
  commands: async () =>
    table(
      ['command', ''],
      (await allCommands()).map(({ usage, summary }) => [`\`platefs ${usage}\``, summary]),
    ),
  'mount-options': () =>
    table(
      ['option', ''],
      Object.entries(MOUNT_OPTIONS).map(([name, { value, description }]) => [
        `\`${value === undefined ? name : `${name}=${value}`}\``,
        description,
      ]),
    ),
  'exit-codes': () =>
    table(
      ['status', 'meaning'],
      EXIT_CODES.map(({ code, meaning }) => [String(code), meaning]),
    ),
  metrics: () =>
    table(
      ['metric', 'type', 'what it counts'],
      Object.entries(METRICS).map(([name, { type, help }]) => [`\`${name}\``, type, help]),
    ),
  operations,
  formats,
  errors,
};

/** Files with sections. */
const READMES = ['README.md', 'src/core/README.md', 'src/telemetry/README.md'] as const;

for (const name of READMES) {
  const url = new URL(name, ROOT);
  let text = readFileSync(url, 'utf8');
  for (const [section, render] of Object.entries(SECTIONS)) {
    const [start, end] = [`<!-- ${section} -->`, `<!-- /${section} -->`];
    const from = text.indexOf(start);
    const to = text.indexOf(end);
    if (from === -1 || to < from) continue;
    text = `${text.slice(0, from + start.length)}\n${await render()}\n${text.slice(to)}`;
  }
  settle(url.pathname, text);
}
