import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { BadMetadataError, CancelledError, UnreadableSourceError } from '../../core/errors.ts';
import { XmlFault } from '../../xml/xml-fault.ts';
import { type XmlElement, type XmlHandler, type XmlLimits, XmlScanner } from '../../xml/xml-scanner.ts';
import { openMetadata } from './metadata-file.ts';

const CHUNK_BYTES = 128 << 10;
/** Chunks read between two turns of the event loop: about 20 ms. */
const CHUNKS_PER_TURN = 16;
/** No vendor's metadata comes near it; a bound for what is no metadata. */
const MAX_BYTES = 8 * 1024 ** 3;
/** Bytes within which a document's root element begins. */
const ROOT_BYTES = 64 << 10;

const ADVICE = 'export or copy the plate again';

function lineOf(newlines: number): string {
  return `line ${newlines + 1}`;
}

function countNewlines(bytes: Buffer, end: number): number {
  let newlines = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0 && at < end; at = bytes.indexOf(0x0a, at + 1)) newlines += 1;
  return newlines;
}

function badMetadata(path: string, fault: XmlFault, newlines: number): BadMetadataError {
  const where = `${lineOf(newlines)} (byte ${fault.byteOffset})`;
  return new BadMetadataError(path, `bad XML at ${where}: ${fault.detail}`, { advice: ADVICE });
}

/**
 * Reads an XML document that lies in memory; `path` is for messages.
 * @throws BadMetadataError that names line and byte.
 */
export function scanXml(path: string, bytes: Uint8Array, handler: XmlHandler, limits?: XmlLimits): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scanner = new XmlScanner(handler, limits);
  try {
    for (let at = 0; at < buffer.length && !scanner.stopped; at += CHUNK_BYTES)
      scanner.write(buffer.subarray(at, at + CHUNK_BYTES));
    scanner.end();
  } catch (error) {
    if (!(error instanceof XmlFault)) throw error;
    throw badMetadata(path, error, countNewlines(buffer, error.byteOffset));
  }
}

/** Chunks of a file, all in the same memory: each is gone when the next is asked for. */
async function* chunks(file: FileHandle, path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0, turns = 0; ; turns += 1) {
    if (turns % CHUNKS_PER_TURN === 0) await setImmediate();
    if (signal.aborted) throw new CancelledError('reading metadata was cancelled');
    // Read in place: the system reads ahead, and a turn of the event loop per chunk takes longer than the chunk.
    const bytesRead = readSync(file.fd, buffer, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    if (at > MAX_BYTES)
      throw new BadMetadataError(path, `more than ${MAX_BYTES} bytes are too many for metadata`);
    yield buffer.subarray(0, bytesRead);
  }
}

/**
 * Reads an XML file chunk by chunk; memory doesn't grow with the file. Events come in the order of the document,
 * several thousand between two turns of the event loop.
 * @throws BadMetadataError that names line and byte, UnreadableSourceError, CancelledError
 */
export async function scanXmlFile(
  path: string,
  handler: XmlHandler,
  signal: AbortSignal,
  limits?: XmlLimits,
): Promise<void> {
  await using file = await openMetadata(path);
  const scanner = new XmlScanner(handler, limits);
  let newlines = 0;
  let fault: XmlFault;
  try {
    for await (const chunk of chunks(file, path, signal)) {
      scanner.write(chunk);
      if (scanner.stopped) return;
    }
    scanner.end();
    return;
  } catch (error) {
    if (error instanceof XmlFault) fault = error;
    else if (error instanceof Error && 'syscall' in error)
      throw new UnreadableSourceError(path, "can't be read", { cause: error });
    else throw error;
  }
  // Lines are counted only for the one message that needs them.
  let at = 0;
  for await (const chunk of chunks(file, path, signal)) {
    newlines += countNewlines(chunk, fault.byteOffset - at);
    at += chunk.length;
    if (at >= fault.byteOffset) break;
  }
  throw badMetadata(path, fault, newlines);
}

/**
 * Name and namespace of a document's root element, by its first 64 KiB; undefined when they are no XML.
 * @throws UnreadableSourceError
 */
export async function readXmlRoot(path: string): Promise<{ name: string; namespace: string } | undefined> {
  await using file = await openMetadata(path);
  let root: { name: string; namespace: string } | undefined;
  const scanner = new XmlScanner({
    start({ name, namespace }: XmlElement) {
      root = { name, namespace };
      return 'stop';
    },
    end: () => undefined,
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(ROOT_BYTES), 0, ROOT_BYTES, 0);
    scanner.write(buffer.subarray(0, bytesRead));
    if (!scanner.stopped) scanner.end();
  } catch (error) {
    // No XML, or a root that doesn't begin here: there is nothing to tell about it.
    if (!(error instanceof XmlFault))
      throw new UnreadableSourceError(path, "can't be read", { cause: error });
  }
  return root;
}
