import { BadMetadataError } from '../../core/errors.ts';
import { asObject, type JsonObject, surveyJson } from '../../core/json-text.ts';

/** Brackets within brackets; instruments write about eight. */
const MAX_DEPTH = 64;

/**
 * Reads a JSON document whose root is an object. `path` is for messages.
 * @throws BadMetadataError when it is no JSON, no object, or nested absurdly deep.
 */
export function parseBoundedJson(path: string, bytes: Uint8Array): JsonObject {
  const text = new TextDecoder().decode(bytes);
  if (surveyJson(text).depth > MAX_DEPTH)
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
