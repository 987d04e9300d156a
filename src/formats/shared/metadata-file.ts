import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { BadMetadataError, CancelledError, UnreadableSourceError } from '../../core/errors.ts';

const CHUNK_BYTES = 256 << 10;

/** Opens an ordinary file, and nothing else. @throws UnreadableSourceError */
export async function openMetadata(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    // A link can lead to a pipe; opening one would wait for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new UnreadableSourceError(path, "can't be opened", { cause, advice: 'check its permissions' });
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new UnreadableSourceError(path, 'is no ordinary file');
}

/**
 * Chunks of a metadata file, all in the same memory: each is gone when the next is asked for.
 * @throws BadMetadataError past `maxBytes`, UnreadableSourceError, CancelledError
 */
export async function* metadataChunks(
  path: string,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  await using file = await openMetadata(path);
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; ; ) {
    if (signal.aborted) throw new CancelledError('reading metadata was cancelled');
    let bytesRead: number;
    try {
      ({ bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, at));
    } catch (cause) {
      throw new UnreadableSourceError(path, "can't be read", { cause });
    }
    if (bytesRead === 0) return;
    at += bytesRead;
    if (at > maxBytes) throw new BadMetadataError(path, `more than ${maxBytes} bytes are too many for it`);
    yield buffer.subarray(0, bytesRead);
  }
}

/**
 * All of a small metadata file.
 * @throws BadMetadataError past `maxBytes`, UnreadableSourceError, CancelledError
 */
export async function readMetadata(path: string, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of metadataChunks(path, maxBytes, signal)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
