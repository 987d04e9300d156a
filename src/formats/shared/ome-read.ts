import { BadMetadataError, CancelledError } from '../../core/errors.ts';
import type { OmeDocument } from '../../ome/ome-document.ts';
import { NoOmeXml, OmeHandler } from '../../ome/ome-handler.ts';
import { XmlFault } from '../../xml/xml-fault.ts';
import { XmlScanner } from '../../xml/xml-scanner.ts';
import type { ByteRange, TiffLook } from './tiff-look.ts';
import { scanXmlFile } from './xml-file.ts';

const CHUNK_BYTES = 256 << 10;
/** OME-XML begins within so many bytes: a declaration and a comment may stand before it. */
const ROOT_BYTES = 16 << 10;

/** Whether a text's beginning is that of OME-XML: the root's name, with or without a prefix. */
export function looksLikeOme(head: string): boolean {
  return /^\s*(?:\uFEFF)?\s*</.test(head) && /<(?:\w+:)?OME[\s>]/.test(head);
}

/**
 * Reads the OME-XML of a TIFF's first ImageDescription chunk by chunk, however large it is. Undefined where the
 * TIFF has none.
 * @throws BadMetadataError that names the byte, BadTiffError, CancelledError
 */
export async function readOmeOfTiff(
  look: TiffLook,
  description: ByteRange | undefined,
  signal: AbortSignal,
): Promise<OmeDocument | undefined> {
  if (description === undefined) return undefined;
  const { offset, length } = description;
  const head = await look.bytes(offset, Math.min(length, ROOT_BYTES));
  if (!looksLikeOme(head.toString('utf8'))) return undefined;
  const handler = new OmeHandler(look.path);
  const scanner = new XmlScanner(handler);
  try {
    for (let at = 0; at < length && !scanner.stopped; at += CHUNK_BYTES) {
      if (signal.aborted) throw new CancelledError('reading metadata was cancelled');
      const chunk = await look.bytes(offset + at, Math.min(CHUNK_BYTES, length - at));
      const end = chunk.indexOf(0);
      // The scanner keeps what it needs; the look's memory is used again by the next read.
      scanner.write(end < 0 ? chunk : chunk.subarray(0, end));
      if (end >= 0) break;
    }
    scanner.end();
  } catch (error) {
    if (error instanceof NoOmeXml) return undefined;
    if (!(error instanceof XmlFault)) throw error;
    throw new BadMetadataError(
      look.path,
      `bad OME-XML at byte ${error.byteOffset} of its description: ${error.detail}`,
      { advice: 'export or copy the images again' },
    );
  }
  return handler.document;
}

/**
 * Reads an OME-XML file (`x.companion.ome`).
 * @throws BadMetadataError that names line and byte, or when it is no OME-XML; UnreadableSourceError, CancelledError
 */
export async function readOmeFile(path: string, signal: AbortSignal): Promise<OmeDocument> {
  const handler = new OmeHandler(path);
  try {
    await scanXmlFile(path, handler, signal);
  } catch (error) {
    if (!(error instanceof NoOmeXml)) throw error;
    throw new BadMetadataError(path, `is no OME-XML: ${error.message}`, { cause: error });
  }
  return handler.document;
}
