import { UnreadableSourceError } from '../core/errors.ts';
import type { Landing } from '../materializer/landing.ts';
import { SealedReader } from '../materializer/sealed-file.ts';
import type { LandedFiles } from './landed-files.ts';
import type { WrittenFile } from './written-state.ts';

/** The bytes of one file, for whoever copies it. */
export interface FileBytes extends Disposable {
  readonly sizeBytes: number;
  /** Fills `target`, which lies within the file, from `offsetBytes` on. @throws when the bytes can't be had. */
  read(offsetBytes: number, target: Uint8Array): void;
}

/**
 * A written file's bytes, wherever they are.
 * @throws UnreadableSourceError when they are gone. Reading throws where the file moved meanwhile.
 */
export function writtenBytes(file: WrittenFile, path: string, landed: LandedFiles): FileBytes {
  const { content, sizeBytes, inode, mtimeNs } = file;
  if (content.kind === 'lost')
    throw new UnreadableSourceError(path, 'its bytes were in memory when the machine went down');
  if (content.kind === 'asleep')
    throw new UnreadableSourceError(path, 'it is brought back from what was synced by the next mount', {
      advice: 'mount the plate, and commit then',
    });
  if (content.kind === 'landed') {
    const landing = content.record as unknown as Landing;
    return {
      sizeBytes,
      read: (offsetBytes, target) => {
        const count = landed.readSync(landing, offsetBytes, target.length, target);
        if (count < target.length) throw new UnreadableSourceError(path, 'its landed bytes are shorter');
      },
      [Symbol.dispose]: () => {},
    };
  }
  const { pieces } = content;
  const mtimeMs = Number(BigInt(mtimeNs) / 1_000_000n);
  const reader = new SealedReader({ inode, mountPath: path, sizeBytes, mtimeMs, pieces });
  return {
    sizeBytes,
    read: (offsetBytes, target) => reader.read(offsetBytes, target),
    [Symbol.dispose]: () => reader[Symbol.dispose](),
  };
}

const COMPARED_BYTES = 1 << 20;

/** Whether two files are the same, byte for byte. @throws when bytes can't be had. */
export function areSameBytes(one: FileBytes, other: FileBytes): boolean {
  if (one.sizeBytes !== other.sizeBytes) return false;
  const room = Buffer.allocUnsafe(2 * Math.min(COMPARED_BYTES, Math.max(1, one.sizeBytes)));
  const step = room.length / 2;
  for (let at = 0; at < one.sizeBytes; at += step) {
    const count = Math.min(step, one.sizeBytes - at);
    const [mine, theirs] = [room.subarray(0, count), room.subarray(step, step + count)];
    one.read(at, mine);
    other.read(at, theirs);
    if (Buffer.compare(mine, theirs) !== 0) return false;
  }
  return true;
}
