/** A JSON object as it was read: fields of unknown kind. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** `value` when it is a JSON object. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Where the string that opens at `at` ends: just behind its closing quote, or the text's end. */
export function stringEnd(text: string, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === BACKSLASH) end++;
    else if (code === QUOTE) return end + 1;
  }
  return text.length;
}

/**
 * What is to be known of a JSON text before it is parsed: how deep it nests, and whether Python's `NaN` or `Infinity`
 * may stand outside its strings. Takes no memory, whatever the text is.
 */
export function surveyJson(text: string): { readonly depth: number; readonly hasWords: boolean } {
  let depth = 0;
  let deepest = 0;
  let hasWords = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '"') at = stringEnd(text, at) - 1;
    else if (letter === '{' || letter === '[') deepest = Math.max(deepest, ++depth);
    else if (letter === '}' || letter === ']') depth--;
    else if (letter === 'N' || letter === 'I') hasWords = true;
  }
  return { depth: deepest, hasWords };
}
