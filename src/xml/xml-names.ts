/** A name as written, with its prefix, and its characters as `XmlDecoder` gives them. */
export interface XmlName {
  readonly raw: string;
  readonly codes: Buffer;
  /** All codes are characters: none stands for several. */
  readonly isPlain: boolean;
}

const NAME = /^[\p{L}_][^\s:"'<>&=/!?;,#]*(?::[\p{L}_][^\s:"'<>&=/!?;,#]*)?$/u;
/** Slots for names by their hash, a power of two. */
const SLOTS = 4096;
const NONE: XmlName = { raw: '', codes: Buffer.alloc(0), isPlain: true };

/** The hash that `NameTable` looks names up by, one character after the other, from 0. */
export const nextNameHash = (hash: number, code: number): number => (Math.imul(hash, 31) + code) | 0;

/** Whether `name` stands at a place of a text with its codes. */
export function nameIsAt(
  text: string,
  codes: Buffer,
  at: number,
  { raw, codes: name, isPlain }: XmlName,
): boolean {
  if (at + name.length > codes.length) return false;
  for (let i = 0; i < name.length; i += 1) if (codes[at + i] !== name[i]) return false;
  return isPlain || text.startsWith(raw, at);
}

/** The names of a document, so that its many elements of one name share one string, made once. */
export class NameTable {
  readonly #names: XmlName[] = Array<XmlName>(SLOTS).fill(NONE);

  /** The name that stands from `from` to `to`, whose hash is given; undefined when it can't be a name. */
  find(text: string, codes: Buffer, from: number, to: number, hash: number): XmlName | undefined {
    const slot = hash & (SLOTS - 1);
    const known = this.#names[slot] ?? NONE;
    if (known !== NONE && known.codes.length === to - from && nameIsAt(text, codes, from, known))
      return known;
    // Copied: a piece of the text would keep all of it in memory.
    const raw = Buffer.from(text.slice(from, to)).toString();
    if (!NAME.test(raw)) return undefined;
    const own = Buffer.from(codes.subarray(from, to));
    const name = { raw, codes: own, isPlain: !own.includes(255) };
    this.#names[slot] = name;
    return name;
  }
}
