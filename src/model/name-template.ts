import type { PlaneAddress } from './plane-name.ts';
import {
  parseTemplate,
  refuseTemplate,
  type TemplateOrigin,
  type TemplatePart,
  type TemplateToken,
} from './template-text.ts';
import { MAX_WELL_COLUMNS, MAX_WELL_ROWS, rowLetters } from './well.ts';

/** Places of a plane's numbers in a row of values; row and column count from 0. */
export const SLOTS = ['row', 'column', 'site', 'field', 'channel', 'z', 't'] as const;
export const [ROW, COLUMN, SITE, FIELD, CHANNEL, Z, T] = [0, 1, 2, 3, 4, 5, 6] as const;
/** In a row of values: nothing is known. */
export const UNTOLD = -1;

/** A row of values, all unknown. */
export const untoldValues = (): Float64Array => new Float64Array(SLOTS.length).fill(UNTOLD);

type Step =
  | { readonly op: 'text'; readonly text: string }
  /** A row's letters. */
  | { readonly op: 'letters' }
  /** Digits: at least `width`; no more where something follows that may begin with a digit. */
  | { readonly op: 'number'; readonly slot: number; readonly width: number; readonly exact: boolean };

/** Field numbers have 32 bits. */
const MAX_DIGITS = 10;
/** What is written is one more than the value: rows and columns count from 0. */
const offsetOf = (slot: number): number => (slot <= COLUMN ? 1 : 0);

const slotOf = (token: Exclude<TemplateToken, 'well' | 'ext'>): number => SLOTS.indexOf(token);

const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const isCapital = (code: number): boolean => code >= 65 && code <= 90;

/** One name of a template: what stands between two slashes. */
export class NameSegment {
  readonly #steps: readonly Step[];

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  /** The values that this name tells, in its order. */
  get slots(): readonly number[] {
    return this.#steps.flatMap((step) =>
      step.op === 'letters' ? [ROW] : step.op === 'number' ? [step.slot] : [],
    );
  }

  /** The text it ends with; '' where it ends with a value. */
  get ending(): string {
    const last = this.#steps.at(-1);
    return last?.op === 'text' ? last.text : '';
  }

  format(values: ArrayLike<number>): string {
    let text = '';
    for (const step of this.#steps) {
      if (step.op === 'text') text += step.text;
      else if (step.op === 'letters') text += rowLetters(values[ROW] ?? 0);
      else {
        const digits = String((values[step.slot] ?? 0) + offsetOf(step.slot));
        text += digits.length < step.width ? digits.padStart(step.width, '0') : digits;
      }
    }
    return text;
  }

  /**
   * Reads a name as {@link format} spells it, and no other spelling. Fills `values`; what they tell already must
   * agree.
   * @returns where the name's rest begins, or -1 when it is another name.
   */
  parse(text: string, values: Float64Array): number {
    let at = 0;
    for (const step of this.#steps) {
      if (step.op === 'text') {
        if (!text.startsWith(step.text, at)) return -1;
        at += step.text.length;
        continue;
      }
      const start = at;
      let value = 0;
      if (step.op === 'letters') {
        while (at < start + 2 && isCapital(text.charCodeAt(at))) {
          value = value * 26 + text.charCodeAt(at) - 64;
          at += 1;
        }
      } else {
        const end = step.exact ? start + step.width : start + MAX_DIGITS;
        while (at < end && isDigit(text.charCodeAt(at))) {
          value = value * 10 + text.charCodeAt(at) - 48;
          at += 1;
        }
        const length = at - start;
        if (length < step.width || (length > step.width && text.charCodeAt(start) === 48)) return -1;
      }
      if (at === start) return -1;
      const slot = step.op === 'letters' ? ROW : step.slot;
      value -= offsetOf(slot);
      if (value < 0 || (slot === ROW && value >= MAX_WELL_ROWS)) return -1;
      if (slot === COLUMN && value >= MAX_WELL_COLUMNS) return -1;
      if (values[slot] === UNTOLD) values[slot] = value;
      else if (values[slot] !== value) return -1;
    }
    return at;
  }

  /** The first value that has more digits than its place takes, as a template token to write instead. */
  overflow(largest: ArrayLike<number>): { readonly slot: number; readonly digits: number } | undefined {
    for (const step of this.#steps) {
      if (step.op !== 'number' || !step.exact) continue;
      const digits = String((largest[step.slot] ?? 0) + offsetOf(step.slot)).length;
      if (digits > step.width) return { slot: step.slot, digits };
    }
    return undefined;
  }

  /** Bytes of the longest name, given the largest values. */
  longestBytes(largest: ArrayLike<number>): number {
    return Buffer.byteLength(this.format(largest));
  }
}

/** A template of names, compiled once. */
export interface NameTemplate {
  readonly origin: TemplateOrigin;
  /** Folders, then the file's name. */
  readonly segments: readonly NameSegment[];
  readonly fileSegment: NameSegment;
  /** Whether it tells a value. */
  readonly told: ReadonlySet<number>;
  /** Whether the name ends in the plane's own extension. */
  readonly hasExtension: boolean;
  /** Path of a plane below its folder. `fieldId` is the instrument's own number, the site unless given. */
  format(address: PlaneAddress, extension: string, fieldId?: number): string;
  /** The inverse of `format`: what a path tells, and whatever follows the last value. */
  parse(path: string): { readonly values: Float64Array; readonly rest: string } | undefined;
}

const mayBeginWithDigit = (part: TemplatePart | undefined): boolean =>
  part !== undefined &&
  (part.kind === 'text'
    ? isDigit(part.text.charCodeAt(0))
    : part.kind === 'token' &&
      part.token !== 'well' &&
      part.token !== 'ext' &&
      !(part.token === 'row' && part.width === 0));

const mayBeginWithCapital = (part: TemplatePart | undefined): boolean =>
  part !== undefined &&
  (part.kind === 'text'
    ? isCapital(part.text.charCodeAt(0))
    : part.kind === 'token' && (part.token === 'well' || (part.token === 'row' && part.width === 0)));

function stepsOf(origin: TemplateOrigin, parts: readonly TemplatePart[]): Step[] {
  return parts.flatMap((part, i): Step[] => {
    const next = parts[i + 1];
    if (part.kind === 'text') return [{ op: 'text', text: part.text }];
    if (part.kind === 'any')
      refuseTemplate(origin, "holds *, which stands for any text in --layout; a file's name has to be said");
    if (part.token === 'ext') {
      if (next) refuseTemplate(origin, 'has {ext} before its end; write {ext} last');
      return [];
    }
    if (part.token === 'well')
      return [{ op: 'letters' }, { op: 'number', slot: COLUMN, width: 2, exact: true }];
    if (part.token === 'row' && part.width === 0) {
      if (mayBeginWithCapital(next))
        refuseTemplate(
          origin,
          "has a letter right behind {row}, whose letters end nowhere then; write '_' between",
        );
      return [{ op: 'letters' }];
    }
    const { token, width } = part;
    const exact = mayBeginWithDigit(next);
    if (exact && width === 0) {
      const following = next?.kind === 'token' ? `{${next.token}}` : 'a digit';
      refuseTemplate(
        origin,
        `has ${following} right behind {${token}}, so that nobody could tell where ${token} ends; write {${token}:03}, or '_' between`,
      );
    }
    return [{ op: 'number', slot: slotOf(token), width: Math.max(1, width), exact }];
  });
}

/**
 * Compiles a template of names: `{well}_s{site:03}_w{channel}{ext}`.
 * @throws BadParameterError when it can't be read back, or gives no names.
 */
export function compileNameTemplate(origin: TemplateOrigin): NameTemplate {
  const parsed = parseTemplate(origin);
  const last = parsed.at(-1) ?? [];
  const end = last.at(-1);
  const hasExtension = end?.kind === 'token' && end.token === 'ext';
  for (const parts of parsed.slice(0, -1))
    if (parts.some((part) => part.kind === 'token' && part.token === 'ext'))
      refuseTemplate(origin, "has {ext} in a folder's name; write {ext} at the end");
  const segments = parsed.map((parts) => new NameSegment(stepsOf(origin, parts)));
  const fileSegment = segments.at(-1) ?? new NameSegment([]);
  const told = new Set(segments.flatMap((segment) => segment.slots));
  if (told.size === 0)
    refuseTemplate(origin, 'tells planes apart by nothing; write for instance {well}_s{site:03}{ext}');
  if (hasExtension && last.length === 1)
    refuseTemplate(origin, 'has nothing before {ext}; name the image too');
  if (!hasExtension && !/\.[a-z0-9]+$/i.test(fileSegment.ending))
    refuseTemplate(origin, 'has no extension, by which programs know an image; write {ext} at its end');
  return {
    origin,
    segments,
    fileSegment,
    told,
    hasExtension,
    format({ well, site, channel, z, t }, extension, fieldId = site) {
      const values = [well.row, well.column, site, fieldId, channel, z, t];
      const path = segments.map((segment) => segment.format(values)).join('/');
      return hasExtension ? path + extension : path;
    },
    parse(path) {
      const names = path.split('/');
      if (names.length !== segments.length) return undefined;
      const values = untoldValues();
      let rest = '';
      for (const [i, segment] of segments.entries()) {
        const name = names[i] ?? '';
        const at = segment.parse(name, values);
        if (at < 0 || (at < name.length && !(segment === fileSegment && hasExtension))) return undefined;
        rest = name.slice(at);
      }
      return { values, rest };
    },
  };
}
