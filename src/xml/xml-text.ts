const PREDEFINED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const REFERENCE = /&(?:#([0-9]{1,7})|#x([0-9a-fA-F]{1,6})|([a-z]{2,4}));/y;

/** Characters XML 1.0 allows (production 2), so a reference can't bring in what the text itself may not hold. */
function isXmlCharacter(code: number): boolean {
  if (code < 0x20) return code === 0x9 || code === 0xa || code === 0xd;
  return code <= 0xd7ff || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x10000 && code <= 0x10ffff);
}

/** A reference that is neither numeric nor one of the five predefined ones. */
export class UnknownReference extends Error {}

/**
 * Character data with its references resolved and its line ends made `\n`. Nothing but the five predefined
 * entities and numeric references is ever expanded, so text never grows.
 * @throws UnknownReference
 */
export function resolveText(raw: string): string {
  const text = raw.includes('\r') ? raw.replaceAll('\r\n', '\n').replaceAll('\r', '\n') : raw;
  let ampersand = text.indexOf('&');
  if (ampersand < 0) return text;
  const parts: string[] = [];
  let from = 0;
  while (ampersand >= 0) {
    parts.push(text.slice(from, ampersand));
    REFERENCE.lastIndex = ampersand;
    const [whole = '', decimal, hex, name = ''] = REFERENCE.exec(text) ?? [];
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
    const resolved = PREDEFINED[name] ?? (isXmlCharacter(code) ? String.fromCodePoint(code) : undefined);
    if (resolved === undefined)
      throw new UnknownReference(text.slice(ampersand, ampersand + 16).replace(/\s.*$/s, ''));
    parts.push(resolved);
    from = ampersand + whole.length;
    ampersand = text.indexOf('&', from);
  }
  parts.push(text.slice(from));
  return parts.join('');
}
