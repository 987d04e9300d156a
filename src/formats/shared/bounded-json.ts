import { BadMetadataError } from '../../core/errors.ts';

/** Brackets within brackets; instruments write about eight. */
const MAX_DEPTH = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A JSON object. */
export type JsonObject = { readonly [key: string]: unknown };

function deepest(text: string): number {
  let depth = 0;
  let deepestYet = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      for (i += 1; i < text.length && text.charCodeAt(i) !== QUOTE; i += 1)
        if (text.charCodeAt(i) === BACKSLASH) i += 1;
    } else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > deepestYet) deepestYet = depth;
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return deepestYet;
}

/**
 * Reads a JSON document whose root is an object. `path` is for messages.
 * @throws BadMetadataError when it is no JSON, no object, or nested absurdly deep.
 */
export function parseBoundedJson(path: string, bytes: Uint8Array): JsonObject {
  const text = new TextDecoder().decode(bytes);
  if (deepest(text) > MAX_DEPTH)
    throw new BadMetadataError(path, `nests objects more than ${MAX_DEPTH} deep`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BadMetadataError(path, 'is no JSON', { cause, advice: 'export or copy the plate again' });
  }
  const object = asObject(value);
  if (!object) throw new BadMetadataError(path, 'holds no JSON object');
  return object;
}

/** The value where it is an object, else undefined. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}
