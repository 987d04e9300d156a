import { NOT_SAID, type OmeImage } from './ome-document.ts';

/** A plane of an image, counting from 0. */
export interface OmePlane {
  readonly c: number;
  readonly z: number;
  readonly t: number;
}

/** Pages of one file that hold planes of an image. */
export interface OmeBlock {
  /** Index into the document's files, negative for the document's own. */
  readonly file: number;
  readonly firstPage: number;
  /** Undefined for all that the file has from there on. */
  readonly pageCount: number | undefined;
  /** Where in the image the first of them stands, in the image's order of planes. */
  readonly firstPlane: number;
}

/** Planes of an image that has no samples side by side. */
const sizes = ({ sizeC, sizeZ, sizeT }: OmeImage): Record<string, number> => ({
  C: sizeC,
  Z: sizeZ,
  T: sizeT,
});

export function planeCount({ sizeC, sizeZ, sizeT }: OmeImage): number {
  return sizeC * sizeZ * sizeT;
}

/** Number of a plane in the image's own order, the first axis of `order` running fastest; -1 outside the image. */
function planeNumber(image: OmeImage, plane: OmePlane): number {
  const at: Record<string, number> = { C: plane.c, Z: plane.z, T: plane.t };
  const extents = sizes(image);
  let number = 0;
  let stride = 1;
  for (const axis of image.order) {
    const value = at[axis] ?? 0;
    const extent = extents[axis] ?? 1;
    if (value >= extent) return -1;
    number += value * stride;
    stride *= extent;
  }
  return number;
}

/** The plane of that number. */
export function planeAt(image: OmeImage, number: number): OmePlane {
  const extents = sizes(image);
  const at: Record<string, number> = {};
  let rest = number;
  for (const axis of image.order) {
    const extent = extents[axis] ?? 1;
    at[axis] = rest % extent;
    rest = Math.floor(rest / extent);
  }
  return { c: at['C'] ?? 0, z: at['Z'] ?? 0, t: at['T'] ?? 0 };
}

/**
 * Where an image's planes lie, as its TiffData elements say: the image named by IFD (the first where it isn't said)
 * is plane FirstC, FirstZ, FirstT, and PlaneCount images follow in DimensionOrder; without PlaneCount one where
 * there is an IFD, else all of the file. OME-TIFF specification, "The TiffData element".
 */
export function* blocksOf(image: OmeImage): Generator<OmeBlock> {
  const { ifds, counts, firstCs, firstZs, firstTs, files } = image.tiffData;
  for (const [i, file] of files.entries()) {
    const ifd = ifds[i] ?? NOT_SAID;
    const count = counts[i] ?? NOT_SAID;
    const plane = { c: firstCs[i] ?? 0, z: firstZs[i] ?? 0, t: firstTs[i] ?? 0 };
    yield {
      file,
      firstPage: Math.max(0, ifd),
      pageCount: count !== NOT_SAID ? count : ifd === NOT_SAID ? undefined : 1,
      firstPlane: planeNumber(image, plane),
    };
  }
}
