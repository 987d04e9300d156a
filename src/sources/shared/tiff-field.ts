import { UnsupportedTiffError } from '../../core/errors.ts';
import { typeSizeBytes } from '../../core/tiff-tags.ts';
import type { TiffBytes } from './tiff-bytes.ts';

/** Where a tag's values lie; all of them inside the file. */
export interface Field {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  /** Of the first value, absolute. */
  readonly offset: number;
}

/** The directory entry at `at`: 12 bytes, 20 in BigTIFF. @throws BadTiffError */
export function fieldAt(bytes: TiffBytes, tag: number, at: number, big: boolean): Field {
  const type = bytes.u16(at + 2);
  const count = big ? bytes.u64(at + 4) : bytes.u32(at + 4);
  const size = typeSizeBytes(type) * count;
  if (size === 0) throw bytes.bad(`tag ${tag} has ${count} values of type ${type}`);
  const valueAt = at + (big ? 12 : 8);
  const offset = size <= (big ? 8 : 4) ? valueAt : big ? bytes.u64(valueAt) : bytes.u32(valueAt);
  if (offset + size > bytes.sizeBytes) {
    throw bytes.bad(
      `tag ${tag} has ${count} values at byte ${offset}, beyond the end of the file (${bytes.sizeBytes})`,
    );
  }
  return { tag, type, count, offset };
}

/** An unsigned integer of a field. @throws BadTiffError when its type is no unsigned integer. */
export function fieldValue(bytes: TiffBytes, field: Field, index: number): number {
  switch (field.type) {
    case 1:
      return bytes.u8(field.offset + index);
    case 3:
      return bytes.u16(field.offset + 2 * index);
    case 4:
    case 13:
      return bytes.u32(field.offset + 4 * index);
    case 16:
    case 18:
      return bytes.u64(field.offset + 8 * index);
    default:
      throw bytes.bad(`tag ${field.tag} has values of type ${field.type}, not unsigned integers`);
  }
}

/** The first value of the entry at `at`. @throws BadTiffError */
export function scalarAt(bytes: TiffBytes, tag: number, at: number, big: boolean): number {
  return fieldValue(bytes, fieldAt(bytes, tag, at, big), 0);
}

/** The value that all samples of a pixel share. @throws UnsupportedTiffError when they don't share one. */
export function commonValue(bytes: TiffBytes, field: Field): number {
  const value = fieldValue(bytes, field, 0);
  // The number of samples isn't known yet and counts may lie: 64 samples are more than any camera has.
  for (let index = 1; index < Math.min(field.count, 64); index++) {
    const other = fieldValue(bytes, field, index);
    if (other !== value) {
      throw new UnsupportedTiffError(
        bytes.path,
        `tag ${field.tag} differs between the samples of a pixel (${value} and ${other})`,
      );
    }
  }
  return value;
}

/** Where a directory entry begins. */
export interface DirectoryEntry {
  readonly at: number;
  readonly big: boolean;
}

/** The entry's first value where it is a positive rational that lies in the file, else undefined. */
export function rationalAt(bytes: TiffBytes, { at, big }: DirectoryEntry): number | undefined {
  const RATIONAL = 5;
  const count = big ? bytes.u64(at + 4) : bytes.u32(at + 4);
  if (bytes.u16(at + 2) !== RATIONAL || count < 1) return undefined;
  // 8 bytes fit into an entry of BigTIFF
  const offset = !big ? bytes.u32(at + 8) : count === 1 ? at + 12 : bytes.u64(at + 12);
  if (offset + 8 > bytes.sizeBytes) return undefined;
  const value = bytes.u32(offset) / bytes.u32(offset + 4);
  return value > 0 && value < Number.POSITIVE_INFINITY ? value : undefined;
}
