import { BadTiffError } from '../core/errors.ts';
import { type ImagePlan, planImage } from './image-plan.ts';
import type { SealedReader } from './sealed-file.ts';
import { readTiffStructure } from './tiff-structure.ts';

/** How a sealed TIFF becomes an image, or the sentence why it does not. No pixel is read. */
export function planOf(reader: SealedReader): ImagePlan | string {
  const { file } = reader;
  const source = {
    path: file.mountPath,
    sizeBytes: file.sizeBytes,
    read: (offsetBytes: number, target: Uint8Array) => reader.read(offsetBytes, target),
  };
  try {
    return planImage(readTiffStructure(source));
  } catch (error) {
    if (error instanceof BadTiffError) return error.message;
    throw error;
  }
}
