import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { BadZarrError, UnreadableSourceError } from '../core/errors.ts';
import { readFully } from '../core/io.ts';
import { asObject, type JsonObject, stringEnd, surveyJson } from '../core/json-text.ts';
import { systemCode } from '../core/system-code.ts';

/** Largest metadata document that is read: a plate of 1536 wells with consolidated metadata takes about 20 MiB. */
export const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;
/** Objects and arrays inside one another; real metadata has about ten. */
const MAX_DEPTH = 100;

/** `value` when it is a JSON array. */
export function asArray(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

/** `value` when it is a string. */
export function asString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** `value` when it is a whole number that a double holds exactly. */
export function asInteger(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

/** A value of a document as a message shows it. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? String(part) : part,
  );
  return (text ?? 'nothing').slice(0, 200);
}

/** A document and the file it came from. */
export interface JsonDocument {
  readonly value: JsonObject;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/**
 * Reads a metadata document, an object at its top. `NaN`, `Infinity` and `-Infinity`, which Python writes although
 * JSON has none, become texts, as Zarr writes them itself; whole numbers beyond 2^53 become bigint.
 * @throws UnreadableSourceError, BadZarrError naming `path`.
 */
export function readJsonObject(path: string): JsonDocument {
  const { bytes, mtimeMs } = readDocument(path);
  return { value: parseJsonObject(bytes, path), sizeBytes: bytes.length, mtimeMs };
}

/** {@link readJsonObject}, or undefined when there is no such file. */
export function readJsonObjectIfPresent(path: string): JsonDocument | undefined {
  try {
    return readJsonObject(path);
  } catch (error) {
    const cause = error instanceof UnreadableSourceError ? error.cause : undefined;
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw error;
  }
}

function readDocument(path: string): { bytes: Buffer; mtimeMs: number } {
  let fd: number;
  try {
    // Without waiting, so that a pipe of this name can't hold us up.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new UnreadableSourceError(path, 'opening failed', { cause });
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    const sizeBytes = Number(stat.size);
    if (!stat.isFile()) throw new UnreadableSourceError(path, 'is not a file');
    if (sizeBytes > MAX_DOCUMENT_BYTES)
      throw new BadZarrError(path, `${sizeBytes} bytes of metadata, more than ${MAX_DOCUMENT_BYTES}`);
    const bytes = Buffer.allocUnsafeSlow(sizeBytes);
    // From the nanoseconds, as every time that is compared later: the system's own milliseconds are rounded otherwise.
    return { bytes: bytes.subarray(0, readFully(fd, bytes, 0)), mtimeMs: Number(stat.mtimeNs) / 1e6 };
  } catch (cause) {
    if (cause instanceof UnreadableSourceError || cause instanceof BadZarrError) throw cause;
    throw new UnreadableSourceError(path, 'reading failed', { cause });
  } finally {
    closeSync(fd);
  }
}

/** The object in a document. @throws BadZarrError naming `path`. */
export function parseJsonObject(bytes: Uint8Array, path: string): JsonObject {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  const { depth, hasWords } = surveyJson(text);
  if (depth > MAX_DEPTH) throw new BadZarrError(path, `metadata nested more than ${MAX_DEPTH} deep`);
  let value: unknown;
  try {
    value = JSON.parse(hasWords ? withoutPythonNumbers(text) : text, exactInteger);
  } catch (cause) {
    throw new BadZarrError(path, 'the metadata is no JSON', { cause });
  }
  const object = asObject(value);
  if (!object) throw new BadZarrError(path, 'the metadata is no JSON object');
  return object;
}

/** Reviver that keeps whole numbers which a double would round; the fill value of an int64 array is one. */
function exactInteger(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' &&
    !Number.isSafeInteger(value) &&
    context?.source !== undefined &&
    /^-?\d{1,40}$/.test(context.source)
    ? BigInt(context.source)
    : value;
}

function withoutPythonNumbers(text: string): string {
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at);
    const outside = text.slice(at, quote === -1 ? undefined : quote);
    parts.push(outside.replace(/-?\bInfinity\b|\bNaN\b/g, '"$&"'));
    if (quote === -1) break;
    const end = stringEnd(text, quote);
    parts.push(text.slice(quote, end));
    at = end;
  }
  return parts.join('');
}
