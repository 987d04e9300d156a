/** A start tag of an XML text as it stands there: nothing is decoded. */
export interface StartTag {
  /** Without its prefix. */
  readonly name: string;
  /** What stands behind the name. */
  readonly content: string;
  /** Where the tag begins in the text. */
  readonly at: number;
}

const NAME = /(?:[\w-]+:)?([\w-]+)/y;

/**
 * The start tags of these names in a text that may be no XML at all, in their order. A tag ends at the first `>` and
 * holds no `<` (XML 1.0 section 3.1). Takes time in proportion to the text, whatever stands in it.
 */
export function* startTags(text: string, names: readonly string[], from = 0): Generator<StartTag> {
  let end = -1;
  for (let at = text.indexOf('<', from); at >= 0; ) {
    const next = text.indexOf('<', at + 1);
    if (end < at) end = text.indexOf('>', at);
    if (end < 0) return;
    if (next < 0 || end < next) {
      NAME.lastIndex = at + 1;
      const name = NAME.exec(text)?.[1] ?? '';
      if (names.includes(name)) yield { name, content: text.slice(NAME.lastIndex, end), at };
    }
    at = next;
  }
}

/** The attributes in a tag's content whose names are of letters alone, and whose values stand in double quotes. */
export function attributesOf(content: string): ReadonlyMap<string, string> {
  // The look behind keeps a long run of letters from being tried from each of them.
  const pairs = content.matchAll(/(?<![A-Za-z])([A-Za-z]+)\s*=\s*"([^"]*)"/g);
  return new Map(Array.from(pairs, ([, name = '', value = '']) => [name, value]));
}
