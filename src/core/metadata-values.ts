/** A whole number from 0 as metadata writes it, or undefined. */
export function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*\d{1,9}\s*$/.test(text) ? Number(text) : undefined;
}

/** A whole number plus one: what counts from 0 in the metadata and from 1 in names. */
export function fromZero(text: string | undefined): number | undefined {
  const value = wholeNumber(text);
  return value === undefined ? undefined : value + 1;
}

/** A finite number, or undefined. */
export function finiteNumber(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,3})?\s*$/i.test(text))
    return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** A finite number above 0, or undefined. */
export function positiveNumber(text: string | undefined): number | undefined {
  const value = finiteNumber(text);
  return value !== undefined && value > 0 ? value : undefined;
}

/** Longest text that is kept. */
const MAX_TEXT = 1000;

/** Text for people: trimmed, on one line, without control characters, of bounded length; undefined for none. */
export function plainText(text: string | undefined): string | undefined {
  const plain = text
    ?.slice(0, 4 * MAX_TEXT)
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MAX_TEXT);
  return plain === '' ? undefined : plain;
}

/** What {@link known} leaves of an object. */
type Known<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The keys whose values are known: spreads into an object without undefined. */
export function known<T extends object>(values: T): Known<T> {
  const kept: Partial<T> = {};
  for (const key in values) if (values[key] !== undefined) kept[key] = values[key];
  return kept as Known<T>;
}
