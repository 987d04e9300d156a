/** Sections of an INI file by name, and their values by key; both as spelt. */
export type IniFile = ReadonlyMap<string, ReadonlyMap<string, string>>;

const MAX_LINES = 1_000_000;

/**
 * Reads `[Section]` and `Key=Value` lines; comments begin with `;` or `#`. Bytes that are not UTF-8 are taken for
 * windows-1252, as instruments run Windows. Lines that are neither are passed over; the first of two equal keys counts.
 */
export function parseIni(bytes: Uint8Array): IniFile {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    text = new TextDecoder('windows-1252').decode(bytes);
  }
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  for (const line of text.split(/\r\n|\r|\n/, MAX_LINES)) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith(';') || trimmed.startsWith('#')) continue;
    if (trimmed.startsWith('[') && trimmed.endsWith(']')) {
      const name = trimmed.slice(1, -1).trim();
      section = sections.get(name) ?? new Map();
      sections.set(name, section);
      continue;
    }
    const equals = trimmed.indexOf('=');
    if (equals <= 0) continue;
    const key = trimmed.slice(0, equals).trim();
    if (!section.has(key)) section.set(key, trimmed.slice(equals + 1).trim());
  }
  return sections;
}
