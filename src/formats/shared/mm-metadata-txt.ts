import { PlateFsError } from '../../core/errors.ts';
import { parseBoundedJson } from './bounded-json.ts';
import { JsonMemberSplitter } from './json-members.ts';
import { metadataChunks } from './metadata-file.ts';
import { type MmFrame, type MmSummary, readFrame, readSummary } from './mm-frame.ts';

const MAX_BYTES = 4 * 1024 ** 3;

/** Keys of image metadata: `FrameKey-0-1-2` (time, channel, slice) and, in 2.0, `Metadata-Pos0/img_….tif`. */
const FRAME_KEY = /^FrameKey-(\d+)-(\d+)-(\d+)$/;
const METADATA_KEY = /^Metadata-(.+)$/;

export interface MetadataTxtHandler {
  summary(summary: MmSummary): void;
  /** `fileName` is without folders; undefined where the entry has none. */
  frame(frame: MmFrame, fileName: string | undefined): void;
  /** An entry can't be understood. */
  damaged(detail: string): void;
}

const baseName = (path: string): string =>
  path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);

function takeFrame(key: string, frame: MmFrame, handler: MetadataTxtHandler): void {
  const counted = FRAME_KEY.exec(key);
  if (counted) {
    const [t, channel, z] = counted.slice(1).map(Number);
    const { fileName } = frame;
    const told = { ...(t === undefined ? {} : { t }), ...(channel === undefined ? {} : { channel }) };
    handler.frame(
      { ...told, ...(z === undefined ? {} : { z }), ...frame },
      fileName === undefined ? undefined : baseName(fileName),
    );
    return;
  }
  const named = METADATA_KEY.exec(key)?.[1];
  if (named !== undefined) handler.frame(frame, baseName(named));
}

/**
 * Reads a `metadata.txt` entry by entry, in memory that does not grow with it: a JSON object with the key Summary
 * and one per image (https://micro-manager.org/Files_and_Metadata). One that was cut off, as when an acquisition
 * was interrupted, counts as far as it goes.
 * @throws BadMetadataError, UnreadableSourceError, CancelledError
 */
export async function readMetadataTxt(
  path: string,
  handler: MetadataTxtHandler,
  signal: AbortSignal,
): Promise<void> {
  const splitter = new JsonMemberSplitter();
  for await (const chunk of metadataChunks(path, MAX_BYTES, signal))
    for (const { key, value } of splitter.write(chunk)) {
      if (key !== 'Summary' && !FRAME_KEY.test(key) && !METADATA_KEY.test(key)) continue;
      try {
        const object = parseBoundedJson(path, Buffer.from(value));
        if (key === 'Summary') handler.summary(readSummary(object));
        else takeFrame(key, readFrame(object), handler);
      } catch (error) {
        if (!(error instanceof PlateFsError)) throw error;
        handler.damaged(`${key}: ${error.message}`);
      }
    }
  if (splitter.tooLong > 0) handler.damaged(`${splitter.tooLong} entries that are too long`);
}
