import { readFully } from '../../core/io.ts';
import { Hdf5Bytes, Hdf5Cursor, NotUnderstood } from './hdf5-bytes.ts';
import { findSuperblock, SIGNATURE_BYTES } from './hdf5-signature.ts';

const SUPERBLOCK_BYTES = 96;
/** Widths of addresses and lengths that the format allows and numbers here can hold. */
const WIDTHS: readonly number[] = [2, 4, 8];

/**
 * Widths and base address as the superblock says them (HDF5 File Format Specification 3.0, II.A).
 * @throws NotUnderstood, BadHdf5Error
 */
export function readSuperblock(fd: number, path: string, sizeBytes: number): Hdf5Bytes {
  const at = findSuperblock(fd, sizeBytes);
  if (at === undefined) throw new NotUnderstood('no superblock');
  const bytes = Buffer.alloc(Math.min(SUPERBLOCK_BYTES, sizeBytes - at));
  readFully(fd, bytes, at);
  const head = new Hdf5Cursor(bytes, { offsetBytes: 8, lengthBytes: 8 });
  head.skip(SIGNATURE_BYTES);
  const version = head.u8();
  if (version > 3) throw new NotUnderstood(`superblock version ${version}`);
  // Versions 0 and 1 name the versions of other parts first, and K values and flags after the widths.
  if (version <= 1) head.skip(4);
  const offsetBytes = head.u8();
  const lengthBytes = head.u8();
  if (!WIDTHS.includes(offsetBytes) || !WIDTHS.includes(lengthBytes))
    throw new NotUnderstood('unusual widths');
  // As the HDF5 library does: the base address that stands in the superblock is not believed when the file was moved
  // behind, or freed of, what a user put in front.
  return new Hdf5Bytes({ fd, path, sizeBytes }, { baseBytes: at, offsetBytes, lengthBytes });
}
