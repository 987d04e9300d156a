import { BadParameterError } from './errors.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const EXPONENTS: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 };
const PATTERN = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*([kmgtp]?)(i?b)?\s*$/i;

/**
 * Reads `2GiB`, `2G` (both 1024³ bytes each), `2GB` (1000³), `1.5 GiB`, `4096`; the spellings of GNU `truncate`.
 * @param parameter what the error names: `--budget`, `budget`.
 * @throws BadParameterError when it is no size of at least one byte.
 */
export function parseByteSize(text: string | number, parameter: string): number {
  const match = PATTERN.exec(String(text));
  const prefix = match?.[2]?.toLowerCase() ?? '';
  const suffix = match?.[3]?.toLowerCase() ?? '';
  const isBadUnit = prefix === '' && suffix === 'ib';
  const base = prefix !== '' && suffix === 'b' ? 1000 : 1024;
  const sizeBytes = Math.round(Number(match?.[1]) * base ** (EXPONENTS[prefix] ?? 0));
  if (!match || isBadUnit || !Number.isSafeInteger(sizeBytes) || sizeBytes < 1)
    throw new BadParameterError(parameter, `'${text}' is no size; write it like 512MiB or 2GiB`);
  return sizeBytes;
}

/** Below this not even one plane of a common camera fits twice. */
export const MIN_BUDGET_BYTES = 16 * 2 ** 20;

/**
 * A memory budget given by a user.
 * @throws BadParameterError when it is no size or too small to work with.
 */
export function parseBudget(text: string | number, parameter: string): number {
  const sizeBytes = parseByteSize(text, parameter);
  if (sizeBytes < MIN_BUDGET_BYTES)
    throw new BadParameterError(
      parameter,
      `'${text}' is too little to work with; give at least ${formatByteSize(MIN_BUDGET_BYTES)}`,
    );
  return sizeBytes;
}

/** A size for people, in binary units with three digits at most: `1.5 GiB`, `120 MiB`, `17 B`. */
export function formatByteSize(sizeBytes: number): string {
  let unit = 0;
  let value = sizeBytes;
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, '')} ${UNITS[unit]}`;
}
