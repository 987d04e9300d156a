import { parseWellName } from '../../model/well.ts';

/** A part of the names of images: constant, or one of the things that tell them apart. */
export interface NameColumn {
  /** What stands before it: separators, and letters in front of digits. */
  readonly before: string;
  readonly kind: 'digits' | 'text' | 'moment';
  /** Its text in each name. */
  readonly texts: readonly string[];
  readonly distinct: ReadonlySet<string>;
  /** The word or letters right before it, lower-case: `ch` of `ch2`, `field` of `field 3`. */
  readonly prefix: string;
  /** Whether it is a whole field between separators. */
  readonly isField: boolean;
  /** Whether it is a whole folder's name. */
  readonly isFolder: boolean;
}

/** Dates and times as instruments write them: `2022y03m09d_00h00m`, `2022-03-09_12-30-00`, `20220309T1230`. */
const MOMENT =
  /(\d{4}y\d{2}m\d{2}d_\d{2}h\d{2}m|(?<!\d)(?:19|20)\d{2}([-_.]?)\d{2}\2\d{2}[T_ -]\d{2}[-_.h]?\d{2}(?:[-_.m]?\d{2}s?)?(?!\d))/u;
/** What stands between fields; the coarse way leaves words with spaces, `#` and `+` whole. */
const FINE = /([^\p{L}\p{N}]+)/u;
const COARSE = /([^\p{L}\p{N} #+.]+)/u;
const COARSE_GAIN = 1.05;

/** IN Cell's wells: `C - 03`. */
const SPACED_WELL = /(?<![\p{L}\p{N}])[A-P] - \d{1,2}(?!\d)/u;
const ATOM = new RegExp(`${MOMENT.source}|${SPACED_WELL.source}`, 'gu');

/** Fields at even places, separators at odd ones; a moment or a spaced well is one field. */
function cut(name: string, separator: RegExp): string[] {
  const parts: string[] = [];
  let from = 0;
  const add = (more: readonly string[]): void => {
    const [head = '', ...rest] = more;
    // A field that goes on behind an atom is another field, with nothing between.
    if (parts.length === 0) parts.push(head, ...rest);
    else if (head !== '') parts.push('', head, ...rest);
    else parts.push(...rest);
  };
  for (const match of name.matchAll(ATOM)) {
    add(name.slice(from, match.index).split(separator));
    if (parts.at(-1) === '') parts.pop();
    else parts.push('');
    parts.push(match[0]);
    from = match.index + match[0].length;
  }
  if (from < name.length || parts.length === 0) add(name.slice(from).split(separator));
  return parts;
}

/** The most common way in which the names are cut, and which names are. */
function commonCut(
  names: readonly string[],
  separator: RegExp,
): { fields: string[][]; separators: string[] } {
  const shapes = new Map<string, string[][]>();
  for (const name of names) {
    const parts = cut(name, separator);
    const shape = JSON.stringify(parts.filter((_, i) => i % 2 === 1));
    const like = shapes.get(shape);
    if (like) like.push(parts);
    else shapes.set(shape, [parts]);
  }
  const [shape = '[]', found = []] = [...shapes].sort((a, b) => b[1].length - a[1].length)[0] ?? [];
  const separators = JSON.parse(shape) as string[];
  return { fields: found.map((parts) => parts.filter((_, i) => i % 2 === 0)), separators };
}

/** Letters and digits of a field in turn: `r01c02` → r, 01, c, 02. Begins with letters, which may be none. */
const runsOf = (text: string): string[] => text.split(/(\d+)/);

const isWell = (text: string): boolean =>
  /^(?:[A-Za-z]{1,2}|[A-P] - )\d{1,2}$/.test(text) && parseWellName(text) !== undefined;

/** Spelt as wells, hardly as anything else: padded, or with a letter that stands for nothing. */
const CLEAR_WELL = /^(?:[A-P](?: - )?\d\d|[ABDEG-O]\d{1,2})$/;

/** Whether texts are wells: then letters vary, or they are spelt as only wells are; as names of folders all are. */
export function areWells(texts: ReadonlySet<string>, isFolder = false): boolean {
  const all = [...texts];
  if (!all.every(isWell)) return false;
  const letters = new Set(all.map((text) => text.replace(/\d+/, '')));
  return letters.size > 1 || all.every((text) => CLEAR_WELL.test(text) || (isFolder && /^[A-P]/.test(text)));
}

const MAX_RUNS = 24;

/** Cuts a field where letters meet digits, when the letters are the same in all names. */
function subColumns(before: string, word: string, texts: readonly string[], isFolder: boolean): NameColumn[] {
  const distinct = new Set(texts);
  const [first = ''] = texts;
  const whole = (kind: NameColumn['kind']): NameColumn => ({
    before,
    kind,
    texts,
    distinct,
    prefix: word,
    isField: true,
    isFolder,
  });
  if (texts.every((text) => MOMENT.exec(text)?.[0] === text && text !== '')) return [whole('moment')];
  if (areWells(distinct, isFolder)) return [whole('text')];
  if (texts.every((text) => /^\d+$/.test(text))) return [whole('digits')];
  const runs = runsOf(first);
  const isCommon =
    runs.length > 1 &&
    runs.length <= MAX_RUNS &&
    texts.every((text) => {
      const own = runsOf(text);
      return own.length === runs.length && own.every((run, i) => i % 2 === 1 || run === runs[i]);
    });
  if (!isCommon) return [whole('text')];
  const cutTexts = texts.map(runsOf);
  const columns: NameColumn[] = [];
  for (let i = 1; i < runs.length; i += 2) {
    const own = cutTexts.map((one) => one[i] ?? '');
    const letters = runs[i - 1] ?? '';
    columns.push({
      before: (i === 1 ? before : '') + letters,
      kind: 'digits',
      texts: own,
      distinct: new Set(own),
      prefix: (letters === '' ? word : letters).toLowerCase(),
      isField: runs.length === 3 && (runs[2] ?? '') === '',
      isFolder: false,
    });
  }
  const rest = runs.at(-1) ?? '';
  if (rest !== '')
    columns.push({
      before: '',
      kind: 'text',
      texts: texts.map(() => rest),
      distinct: new Set([rest]),
      prefix: '',
      isField: false,
      isFolder: false,
    });
  return columns;
}

/** Cuts names, paths without extension, into parts that stand in the same places in most of them. */
export function nameColumns(names: readonly string[]): NameColumn[] {
  const fine = commonCut(names, FINE);
  const coarse = commonCut(names, COARSE);
  const { fields, separators } = coarse.fields.length > fine.fields.length * COARSE_GAIN ? coarse : fine;
  const [first = []] = fields;
  const columns: NameColumn[] = [];
  let word = '';
  for (let i = 0; i < first.length; i += 1) {
    const texts = fields.map((one) => one[i] ?? '');
    const separator = i === 0 ? '' : (separators[i - 1] ?? '');
    // 'field 3', 'well_A1': the word before says what it is; not across folders.
    const isFolder = /(?:^|\/)$/.test(separator) && separators[i]?.startsWith('/') === true;
    columns.push(
      ...subColumns(
        separator,
        /^[ _=-]?$/.test(separator) ? word : '',
        texts,
        isFolder && (i === 0 || separator !== ''),
      ),
    );
    const isConstantWord = new Set(texts).size === 1 && /^\p{L}+$/u.test(texts[0] ?? '');
    word = isConstantWord ? (texts[0] ?? '').toLowerCase() : '';
  }
  return mergedWords(columns);
}

/** Which names have the same text as which others: equal for columns that vary together. */
export function partition({ texts }: NameColumn): string {
  const numbers = new Map<string, number>();
  return texts
    .map((text) => {
      const known = numbers.get(text);
      if (known !== undefined) return known;
      numbers.set(text, numbers.size);
      return numbers.size - 1;
    })
    .join();
}

/** Words side by side that vary together are one: `Blue - FITC`. */
function mergedWords(columns: readonly NameColumn[]): NameColumn[] {
  const merged: NameColumn[] = [];
  for (const column of columns) {
    const left = merged.at(-1);
    const isWord = (one: NameColumn): boolean =>
      one.kind === 'text' && one.isField && one.distinct.size > 1 && !areWells(one.distinct, one.isFolder);
    if (
      left &&
      isWord(left) &&
      isWord(column) &&
      !column.before.includes('/') &&
      partition(left) === partition(column)
    ) {
      const texts = left.texts.map((text, i) => text + column.before + (column.texts[i] ?? ''));
      merged.splice(-1, 1, { ...left, texts, distinct: new Set(texts) });
    } else merged.push(column);
  }
  return merged;
}
