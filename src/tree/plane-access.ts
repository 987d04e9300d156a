import { type PlaneShape, type PlateIndex, WHOLE_FILE } from '../model/plate-index.ts';
import type { PlateFiles } from './plate-files.ts';

/** Where a plane's pixels are. */
export interface PlaneLocation {
  readonly path: string;
  /** Which image of the file, from 0. */
  readonly page: number;
}

/** Whether a plane is a file of the plate, to be shown byte for byte. */
export function isWholeFile({ planes }: PlateIndex, plane: number): boolean {
  return (planes.pages[plane] ?? WHOLE_FILE) === WHOLE_FILE;
}

export function planeLocation({ planes }: PlateIndex, files: PlateFiles, plane: number): PlaneLocation {
  const page = planes.pages[plane] ?? WHOLE_FILE;
  return {
    path: files.absolutePath(planes.files[plane] ?? 0),
    page: page === WHOLE_FILE ? 0 : page,
  };
}

/** Extent and pixel type, where the metadata told them. */
export function toldShape({ planes, shapes }: PlateIndex, plane: number): PlaneShape | undefined {
  return shapes[(planes.shapes[plane] ?? 0) - 1];
}
