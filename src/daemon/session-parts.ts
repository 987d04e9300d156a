/**
 * Which numbers the parts of a mount have. What was written into a folder is remembered by the folder's number, so
 * that a part has the same one at every mount of the same folder or definition.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BadParameterError } from '../core/errors.ts';
import { MAX_PARTS } from '../tree/shared-mount.ts';

interface Parts {
  /** Every name that ever had a number. */
  readonly numbers: Readonly<Record<string, number>>;
  /** The present mount's, in their order. */
  readonly present: readonly string[];
}

export interface NamedPart {
  readonly number: number;
  readonly name: string;
}

const FILE = 'parts.json';

function read(state: string): Parts {
  const path = join(state, FILE);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Parts) : { numbers: {}, present: [] };
}

/**
 * Numbers the parts of a mount that begins, but for its root.
 * @throws BadParameterError when more had numbers in this state folder than there are.
 */
export function numberParts(state: string, names: readonly string[]): NamedPart[] {
  const before = read(state);
  if (names.length === 0 && before.present.length === 0) return [];
  const numbers: Record<string, number> = { ...before.numbers };
  let last = Math.max(0, ...Object.values(numbers));
  for (const name of names) if (!Object.hasOwn(numbers, name)) numbers[name] = ++last;
  if (last >= MAX_PARTS)
    throw new BadParameterError(
      '--state',
      `${state} has seen more than ${MAX_PARTS - 1} plates and sources; name another folder with --state and --output`,
    );
  const path = join(state, FILE);
  writeFileSync(`${path}.new`, JSON.stringify({ numbers, present: names } satisfies Parts), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return names.map((name) => ({ name, number: numbers[name] ?? 0 }));
}

/** The parts of the mount, but for its root, that the last daemon of this connection served. */
export function presentParts(state: string): NamedPart[] {
  const { numbers, present } = read(state);
  return present.map((name) => ({ name, number: numbers[name] ?? 0 }));
}
