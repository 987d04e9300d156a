import { open } from 'node:fs/promises';
import { HookFailedError } from '../core/errors.ts';

/** A stretch of a written file's bytes in some file of the overlay. */
export interface FilePiece {
  readonly path: string;
  /** Where the stretch begins in `path`. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** A closed file: its bytes in one file (`dataPath`), or in pieces, in order and without gaps. */
export type HookInput = {
  /** Path below the mount's root. */
  readonly mountPath: string;
  readonly sizeBytes: number;
} & ({ readonly dataPath: string } | { readonly pieces: readonly FilePiece[] });

const COPY_BYTES = 4 * 1024 * 1024;

/** The path of a file that holds exactly the input, if there is one already. */
export async function wholeFile(input: HookInput): Promise<string | undefined> {
  if ('dataPath' in input) return input.dataPath;
  const [piece, another] = input.pieces;
  if (piece === undefined || another !== undefined || piece.offsetBytes !== 0) return undefined;
  await using file = await open(piece.path, 'r');
  return (await file.stat()).size === input.sizeBytes ? piece.path : undefined;
}

/**
 * Copies the pieces into a new file.
 * @throws HookFailedError when they are not as many bytes as the input has, or end early.
 */
export async function assemblePieces(
  pieces: readonly FilePiece[],
  sizeBytes: number,
  path: string,
): Promise<void> {
  const total = pieces.reduce((sum, piece) => sum + piece.sizeBytes, 0);
  if (total !== sizeBytes) {
    throw new HookFailedError(`the file has ${sizeBytes} bytes, its pieces ${total}`);
  }
  await using target = await open(path, 'wx', 0o600);
  const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, sizeBytes));
  let written = 0;
  for (const piece of pieces) {
    await using source = await open(piece.path, 'r');
    for (let done = 0; done < piece.sizeBytes; ) {
      const wanted = Math.min(buffer.byteLength, piece.sizeBytes - done);
      const { bytesRead } = await source.read(buffer, 0, wanted, piece.offsetBytes + done);
      if (bytesRead === 0) throw new HookFailedError(`${piece.path} ends before its piece does`);
      for (let put = 0; put < bytesRead; ) {
        const { bytesWritten } = await target.write(buffer, put, bytesRead - put, written + put);
        put += bytesWritten;
      }
      done += bytesRead;
      written += bytesRead;
    }
  }
}
