import type { Attributes, AttributeValue } from './hierarchy.ts';

/** Attributes of some nodes as JSON: whole numbers of 64 bits with all digits, what JSON has no number for as text. */
export function attributesJson(nodes: ReadonlyMap<string, Attributes>): string {
  const lines = [...nodes].map(
    ([path, attributes]) => `  ${JSON.stringify(path)}: ${jsonOf(attributes, '  ')}`,
  );
  return `{\n${lines.join(',\n')}\n}\n`;
}

function jsonOf(value: AttributeValue, indent: string): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return JSON.stringify(String(value));
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value))
    return `[${(value as readonly AttributeValue[]).map((one) => jsonOf(one, indent)).join(', ')}]`;
  const inner = `${indent}  `;
  const members = Object.entries(value as Attributes).map(
    ([name, member]) => `${inner}${JSON.stringify(name)}: ${jsonOf(member, inner)}`,
  );
  return members.length === 0 ? '{}' : `{\n${members.join(',\n')}\n${indent}}`;
}
