import { BadMetadataError, CancelledError, PlateFsError } from '../../core/errors.ts';
import { parseBoundedJson } from './bounded-json.ts';
import { type MmFrame, type MmSummary, readFrame, readSummary } from './mm-frame.ts';
import type { ByteRange, TiffLook } from './tiff-look.ts';

/** Image metadata is about 4 kB, a summary with thousands of positions some MB. */
const MAX_FRAME_BYTES = 1 << 20;
const MAX_SUMMARY_BYTES = 64 << 20;
/** https://micro-manager.org/Micro-Manager_Image_File_Stacks and the README of NDTiffStorage. */
const INDEX_MAP_OFFSET = 54_773_648;
const INDEX_MAP = 3_453_623;
const SUMMARY = 2_355_492;
const NDTIFF = 483_729;
const INDEX_ENTRY_BYTES = 20;

/** What stands behind the 8 bytes of a TIFF's own header. */
export interface MmHeader {
  readonly kind: 'stack' | 'ndtiff';
  readonly summary: ByteRange | undefined;
  /** Where a stack's index map lies; 0 while it is being acquired. */
  readonly indexMapOffset: number;
}

/**
 * Reads the header that Micro-Manager puts behind a TIFF's own; undefined where it is none of its files.
 * @throws BadTiffError, UnreadableSourceError
 */
export async function readMmHeader(look: TiffLook): Promise<MmHeader | undefined> {
  if (look.sizeBytes < 40) return undefined;
  const head = Buffer.from(await look.bytes(0, 40));
  const word = (at: number): number => (look.littleEndian ? head.readUInt32LE(at) : head.readUInt32BE(at));
  const range = (lengthAt: number): ByteRange | undefined => {
    const length = word(lengthAt);
    return length > 0 && length <= MAX_SUMMARY_BYTES ? { offset: lengthAt + 4, length } : undefined;
  };
  if (word(8) === NDTIFF) {
    // Version 2 has the summary's mark right behind the version, version 3 its minor version first.
    const lengthAt = word(16) === SUMMARY ? 20 : word(20) === SUMMARY ? 24 : 0;
    return { kind: 'ndtiff', summary: lengthAt === 0 ? undefined : range(lengthAt), indexMapOffset: 0 };
  }
  if (word(8) !== INDEX_MAP_OFFSET && word(32) !== SUMMARY) return undefined;
  // NDTiff version 1 has the same header, with its own mark in the place of the comments.
  if (word(24) === NDTIFF) return undefined;
  return {
    kind: 'stack',
    summary: word(32) === SUMMARY ? range(36) : undefined,
    indexMapOffset: word(8) === INDEX_MAP_OFFSET ? word(12) : 0,
  };
}

/** @throws BadMetadataError, BadTiffError, UnreadableSourceError */
export async function readMmSummary(look: TiffLook, range: ByteRange): Promise<MmSummary> {
  return readSummary(parseBoundedJson(look.path, await look.bytes(range.offset, range.length)));
}

/** Metadata of one image, NUL behind it at times. @throws BadMetadataError, BadTiffError, UnreadableSourceError */
export async function readMmFrame(look: TiffLook, { offset, length }: ByteRange): Promise<MmFrame> {
  if (length > MAX_FRAME_BYTES)
    throw new BadMetadataError(
      look.path,
      `metadata of ${length} bytes at ${offset} is too long for one image`,
    );
  const bytes = await look.bytes(offset, length);
  const end = bytes.indexOf(0);
  return readFrame(parseBoundedJson(look.path, end < 0 ? bytes : bytes.subarray(0, end)));
}

/** {@link readMmFrame}, undefined where the metadata can't be read or understood, which is passed to `failed`. */
export async function tryMmFrame(
  look: TiffLook,
  range: ByteRange,
  failed: (error: PlateFsError) => void,
): Promise<MmFrame | undefined> {
  try {
    return await readMmFrame(look, range);
  } catch (error) {
    if (error instanceof CancelledError || !(error instanceof PlateFsError)) throw error;
    failed(error);
    return undefined;
  }
}

/** Coordinates of an image, from 0, and where its directory lies. */
export interface IndexMapEntry {
  readonly channel: number;
  readonly z: number;
  readonly t: number;
  readonly position: number;
  readonly offset: number;
}

/**
 * The index map at a stack's end, by the place of the directories; undefined where the file has none, as while it is
 * acquired. @throws BadTiffError, UnreadableSourceError
 */
export async function readIndexMap(look: TiffLook, mapOffset: number): Promise<IndexMapEntry[] | undefined> {
  if (mapOffset === 0 || mapOffset + 8 > look.sizeBytes) return undefined;
  if ((await look.number(mapOffset, 4)) !== INDEX_MAP) return undefined;
  const count = await look.number(mapOffset + 4, 4);
  if (count === 0 || mapOffset + 8 + count * INDEX_ENTRY_BYTES > look.sizeBytes) return undefined;
  const table = Buffer.from(await look.bytes(mapOffset + 8, count * INDEX_ENTRY_BYTES));
  const word = (at: number): number => (look.littleEndian ? table.readUInt32LE(at) : table.readUInt32BE(at));
  const entries: IndexMapEntry[] = [];
  for (let at = 0; at < table.length; at += INDEX_ENTRY_BYTES)
    entries.push({
      channel: word(at),
      z: word(at + 4),
      t: word(at + 8),
      position: word(at + 12),
      offset: word(at + 16),
    });
  return entries.sort((a, b) => a.offset - b.offset);
}
