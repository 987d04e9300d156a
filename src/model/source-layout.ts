import {
  parseTemplate,
  refuseTemplate,
  type TemplateOrigin,
  type TemplatePart,
  type TemplateToken,
} from './template-text.ts';
import { MAX_WELL_COLUMNS, MAX_WELL_ROWS, parseWellName } from './well.ts';

/** What the names of a file and its folders tell. Row and column count from 0; the rest is as it is written. */
export interface SourceValues {
  readonly row?: number;
  readonly column?: number;
  readonly site?: number;
  readonly z?: number;
  /** Number or word. */
  readonly channel?: string;
  /** Number or word. */
  readonly t?: string;
}

/** What a name is to a layout: what it tells, nothing, or several things at once. */
export type LayoutMatch = SourceValues | 'other' | 'ambiguous';

type Step =
  | { readonly op: 'text'; readonly text: string }
  | { readonly op: 'any' }
  | { readonly op: 'word'; readonly value: 'channel' | 't' }
  | { readonly op: 'digits'; readonly value: NumberValue; readonly width: number; readonly exact: boolean }
  | { readonly op: 'row' }
  | { readonly op: 'well' };
type NumberValue = Exclude<keyof SourceValues, 'well'>;

/** Larger numbers are no count of anything on a plate. */
const MAX_DIGITS = 9;
/** `AF - 48` with room for spaces: what a well may look like. */
const MAX_WELL_LENGTH = 8;
const EXTENSION = /\.tiff?$/i;

const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const isLetter = (code: number): boolean => (code >= 65 && code <= 90) || (code >= 97 && code <= 122);

function digitsEnd(text: string, start: number): number {
  let end = start;
  while (isDigit(text.charCodeAt(end))) end += 1;
  return end;
}

/** Matches one name, trying the shortest or the longest way for each part that may stretch. */
class NameMatcher {
  readonly #steps: readonly Step[];
  readonly #text: string;
  readonly #longest: boolean;
  /** Places (step and position) that lead nowhere: so no place is tried twice. */
  readonly #dead: Uint8Array;
  readonly ends: number[] = [];

  constructor(steps: readonly Step[], text: string, longest: boolean) {
    this.#steps = steps;
    this.#text = text;
    this.#longest = longest;
    this.#dead = new Uint8Array((steps.length + 1) * (text.length + 1));
  }

  match(step = 0, at = 0): boolean {
    if (step === this.#steps.length) return at === this.#text.length;
    const place = step * (this.#text.length + 1) + at;
    if (this.#dead[place] === 1) return false;
    for (const end of this.#endsOf(step, at)) {
      this.ends[step] = end;
      if (this.match(step + 1, end)) return true;
    }
    this.#dead[place] = 1;
    return false;
  }

  /** Where a step that begins here may end, the preferred end first. */
  *#endsOf(number: number, at: number): Generator<number> {
    const step = this.#steps[number];
    const text = this.#text;
    const before = this.#steps[number - 1]?.op;
    switch (step?.op) {
      case 'text':
        if (text.startsWith(step.text, at)) yield at + step.text.length;
        return;
      case 'any':
      case 'word': {
        const shortest = step.op === 'any' ? at : at + 1;
        for (let length = 0; length <= text.length - shortest; length += 1)
          yield this.#longest ? text.length - length : shortest + length;
        return;
      }
      case 'digits': {
        if (before === 'any' && isDigit(text.charCodeAt(at - 1))) return;
        const end = step.exact ? Math.min(at + step.width, digitsEnd(text, at)) : digitsEnd(text, at);
        if (end - at >= step.width && end - at <= MAX_DIGITS) yield end;
        return;
      }
      case 'row': {
        if (before === 'any' && /[a-z0-9]/i.test(text.charAt(at - 1))) return;
        let end = digitsEnd(text, at);
        if (end === at) while (end < at + 2 && isLetter(text.charCodeAt(end))) end += 1;
        if (end > at && !isLetter(text.charCodeAt(end))) yield end;
        return;
      }
      case 'well': {
        if (before === 'any' && isLetter(text.charCodeAt(at - 1))) return;
        for (let length = Math.min(MAX_WELL_LENGTH, text.length - at); length > 1; length -= 1)
          if (!isDigit(text.charCodeAt(at + length)) && parseWellName(text.slice(at, at + length)))
            yield at + length;
        return;
      }
    }
  }
}

function rowOf(text: string): number {
  if (isDigit(text.charCodeAt(0))) return Number(text) - 1;
  return parseWellName(`${text}1`)?.row ?? -1;
}

/** Adds what a step tells; false when it can't be, or contradicts what is told already. */
function take(values: Record<string, number | string>, step: Step, text: string): boolean {
  const set = (name: string, value: number | string): boolean => {
    if (values[name] === undefined) values[name] = value;
    return values[name] === value;
  };
  if (step.op === 'word') return set(step.value, text);
  if (step.op === 'well') {
    const well = parseWellName(text);
    return well !== undefined && set('row', well.row) && set('column', well.column);
  }
  if (step.op === 'row' || (step.op === 'digits' && step.value === 'row')) {
    const row = rowOf(text);
    return row >= 0 && row < MAX_WELL_ROWS && set('row', row);
  }
  if (step.op !== 'digits') return true;
  if (step.value === 'channel' || step.value === 't') return set(step.value, text);
  const value = Number(text);
  if (step.value !== 'column') return set(step.value, value);
  return value >= 1 && value <= MAX_WELL_COLUMNS && set('column', value - 1);
}

function valuesOf(
  matcher: NameMatcher,
  steps: readonly Step[],
  text: string,
  above: SourceValues,
): LayoutMatch {
  const values: Record<string, number | string> = { ...above };
  for (const [i, step] of steps.entries()) {
    const start = i === 0 ? 0 : (matcher.ends[i - 1] ?? 0);
    if (!take(values, step, text.slice(start, matcher.ends[i]))) return 'other';
  }
  return values;
}

const VALUES = ['row', 'column', 'site', 'z', 'channel', 't'] as const;
const isSame = (a: SourceValues, b: SourceValues): boolean => VALUES.every((name) => a[name] === b[name]);

/**
 * What the names of a plate's files say, as a template that somebody wrote: compiled once. Every name is read in
 * time bounded by its length times its square; one that can be read in two ways is told, not guessed.
 */
export class SourceLayout {
  readonly template: string;
  readonly #segments: readonly (readonly Step[])[];

  constructor(template: string, segments: readonly (readonly Step[])[]) {
    this.template = template;
    this.#segments = segments;
  }

  /** How many folders lie above each image. */
  get depth(): number {
    return this.#segments.length - 1;
  }

  /** Whether names tell this. */
  tells(value: keyof SourceValues): boolean {
    return this.#segments
      .flat()
      .some(
        (step) =>
          ((step.op === 'digits' || step.op === 'word') && step.value === value) ||
          (step.op === 'row' && value === 'row') ||
          (step.op === 'well' && (value === 'row' || value === 'column')),
      );
  }

  #match(steps: readonly Step[], text: string, above: SourceValues): LayoutMatch {
    const first = new NameMatcher(steps, text, false);
    if (!first.match()) return 'other';
    const values = valuesOf(first, steps, text, above);
    const mayStretch = steps.some(({ op }) => op === 'any' || op === 'word');
    if (!mayStretch || typeof values === 'string') return values;
    const last = new NameMatcher(steps, text, true);
    last.match();
    const others = valuesOf(last, steps, text, above);
    return typeof others === 'string' || isSame(values, others) ? values : 'ambiguous';
  }

  /** What a folder at this level, from 0, tells beside those above it. */
  folder(level: number, name: string, above: SourceValues): LayoutMatch {
    const steps = level < this.depth ? this.#segments[level] : undefined;
    return steps ? this.#match(steps, name, above) : 'other';
  }

  /** What an image in a folder of the last level tells. Its extension is that of a TIFF. */
  image(name: string, above: SourceValues): LayoutMatch {
    return this.#match(this.#segments.at(-1) ?? [], name.replace(EXTENSION, ''), above);
  }
}

const TOKEN_VALUES: Readonly<Partial<Record<TemplateToken, NumberValue>>> = {
  row: 'row',
  column: 'column',
  site: 'site',
  field: 'site',
  channel: 'channel',
  z: 'z',
  t: 't',
};

/** A part that may be a word, and so end anywhere. */
const isWord = (part: TemplatePart | undefined): boolean =>
  part?.kind === 'token' && (part.token === 'channel' || part.token === 't') && part.width === 0;

function stepOf(
  origin: TemplateOrigin,
  part: TemplatePart,
  before: TemplatePart | undefined,
  next: TemplatePart | undefined,
): Step[] {
  if (part.kind === 'text') return [{ op: 'text', text: part.text }];
  if (part.kind === 'any') {
    if (next?.kind === 'any') refuseTemplate(origin, 'has ** in it; write one *');
    return [{ op: 'any' }];
  }
  if (part.token === 'ext') {
    if (next) refuseTemplate(origin, 'has {ext} before its end; write {ext} last');
    return [];
  }
  if (isWord(part)) {
    const beside = [before, next].find(
      (other) => other && other.kind !== 'text' && !(other.kind === 'token' && other.token === 'ext'),
    );
    if (beside)
      refuseTemplate(
        origin,
        `has ${beside.kind === 'token' ? `{${beside.token}}` : '*'} right beside {${part.token}}, which may be any word; write what stands between them, or {${part.token}:01} where it is a number`,
      );
    return [{ op: 'word', value: part.token === 't' ? 't' : 'channel' }];
  }
  if (part.token === 'well') return [{ op: 'well' }];
  if (part.token === 'row' && part.width === 0) {
    if (next?.kind === 'text' && isLetter(next.text.charCodeAt(0)))
      refuseTemplate(
        origin,
        'has a letter right behind {row}, whose letters end nowhere then; write {row:01} where it is a number',
      );
    return [{ op: 'row' }];
  }
  const exact =
    next !== undefined &&
    (next.kind === 'text'
      ? isDigit(next.text.charCodeAt(0))
      : next.kind === 'token' && next.token !== 'well' && next.token !== 'ext');
  if (exact && part.width === 0)
    refuseTemplate(
      origin,
      `has ${next.kind === 'token' ? `{${next.token}}` : 'a digit'} right behind {${part.token}}, so that nobody could tell where ${part.token} ends; write {${part.token}:03} where it always has three digits`,
    );
  return [{ op: 'digits', value: TOKEN_VALUES[part.token] ?? 'site', width: Math.max(1, part.width), exact }];
}

/** The last name without its extension: any TIFF's will do. */
function withoutExtension(parts: readonly TemplatePart[]): TemplatePart[] {
  const last = parts.at(-1);
  if (last?.kind !== 'text') return [...parts];
  const text = last.text.replace(EXTENSION, '');
  return [...parts.slice(0, -1), ...(text === '' ? [] : [{ kind: 'text' as const, text }])];
}

/**
 * Compiles a layout: `{well}/field {site} {channel}.tif`. `*` is any text; a channel or time point may be a word.
 * @throws BadParameterError when it can't be read in one way, or tells nothing.
 */
export function compileSourceLayout(origin: TemplateOrigin): SourceLayout {
  const parsed = parseTemplate(origin);
  const segments = parsed.map((parts, level) => {
    const named = level === parsed.length - 1 ? withoutExtension(parts) : parts;
    return named.flatMap((part, i) => {
      if (part.kind === 'token' && part.token === 'ext' && level < parsed.length - 1)
        refuseTemplate(origin, "has {ext} in a folder's name; write {ext} at the end");
      return stepOf(origin, part, named[i - 1], named[i + 1]);
    });
  });
  const tokens = new Set(parsed.flat().map((part) => (part.kind === 'token' ? part.token : '')));
  if (tokens.has('site') && tokens.has('field'))
    refuseTemplate(origin, 'has {site} and {field}, which are the same here; write one of them');
  const layout = new SourceLayout(origin.template, segments);
  if (!VALUES.some((value) => layout.tells(value)))
    refuseTemplate(
      origin,
      'says nothing of well, site, channel, z or t; write for instance {well}_{site}.tif',
    );
  return layout;
}
