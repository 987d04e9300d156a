import { hash } from 'node:crypto';

/** Bytes of a name before its extension: with the longest of ours, and a number, it stays below NAME_MAX (255). */
const MAX_STEM_BYTES = 200;

const hex = (code: number, digits: number): string => code.toString(16).toUpperCase().padStart(digits, '0');

/** Percent signs, what separates or ends names, control characters, and halves of surrogate pairs. */
const UNFIT = /[%/\p{Cc}\p{Cs}]/gu;

const escapeUnit = (unit: string): string => {
  const code = unit.charCodeAt(0);
  return code > 0xff ? `%u${hex(code, 4)}` : `%${hex(code, 2)}`;
};

/**
 * A name as a source has it, as a file name: what can't stand in one is written `%2F`, a dot at the beginning `%2E`, no
 * name at all `%`. {@link rawName} reads it back. Only a name of more than 200 bytes is cut, and ends in `%~` and
 * a checksum of the whole.
 */
export function safeName(raw: string): string {
  if (raw === '') return '%';
  const escaped = raw.replace(UNFIT, escapeUnit).replace(/^\./, '%2E');
  if (Buffer.byteLength(escaped) <= MAX_STEM_BYTES) return escaped;
  let kept = '';
  let sizeBytes = 0;
  for (const letter of escaped) {
    sizeBytes += Buffer.byteLength(letter);
    if (sizeBytes > MAX_STEM_BYTES - 16) break;
    kept += letter;
  }
  // Half an escape at the cut would be read as another.
  return `${kept.replace(/%u?[0-9A-F]{0,3}$/, '')}%~${hash('sha256', raw).slice(0, 8)}`;
}

/** The name that {@link safeName} made this of; undefined for one that was cut. */
export function rawName(safe: string): string | undefined {
  if (safe === '%') return '';
  const plain = safe.replace(/%~\d{1,7}$/, '');
  if (plain.includes('%~')) return undefined;
  return plain.replace(/%(?:u([0-9A-F]{4})|([0-9A-F]{2}))/g, (_, wide: string | undefined, narrow: string) =>
    String.fromCharCode(Number.parseInt(wide ?? narrow, 16)),
  );
}

/**
 * The names given in one folder. No two differ in case alone: some clients' disks could not hold both. The second gets
 * `%~2` behind it, which no other name can end in.
 */
export class TakenNames {
  readonly #taken = new Set<string>();

  /** A stem under which the names with all these extensions are free, and now taken. */
  take(stem: string, extensions: readonly string[]): string {
    for (let turn = 1; ; turn += 1) {
      const tried = turn === 1 ? stem : `${stem}%~${turn}`;
      const names = extensions.map((extension) => (tried + extension).toLowerCase());
      if (names.some((name) => this.#taken.has(name))) continue;
      for (const name of names) this.#taken.add(name);
      return tried;
    }
  }
}
