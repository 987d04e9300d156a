import { type Dtype, itemSizeBytes } from '../core/nd-array.ts';
import { MAX_CHUNK_BYTES } from '../zarr/codec/blosc.ts';
import { imageJFields, readTiffFacts, type TiffFacts } from './tiff-facts.ts';
import type { TiffPage, TiffStructure } from './tiff-structure.ts';

/** A TIFF as an image of the store: one plane per (page, sample). */
export interface ImagePlan {
  readonly dtype: Dtype;
  readonly width: number;
  readonly height: number;
  /** Extents of t, c and z. */
  readonly frames: number;
  readonly channels: number;
  readonly slices: number;
  /** Samples per pixel: 1, or 3 for RGB, which then are the channels. */
  readonly samples: number;
  readonly littleEndian: boolean;
  readonly pages: readonly TiffPage[];
  /** t, c, z of each page; for RGB the c of its first sample. */
  readonly positions: readonly (readonly [t: number, c: number, z: number])[];
  /** Whether planes can be cut out of the file without decoding (compression none). */
  readonly isStoredPlainly: boolean;
  readonly facts: TiffFacts;
}

const DTYPES: Readonly<Record<string, Dtype>> = {
  '1/8': 'uint8',
  '1/16': 'uint16',
  '1/32': 'uint32',
  '1/64': 'uint64',
  '2/8': 'int8',
  '2/16': 'int16',
  '2/32': 'int32',
  '2/64': 'int64',
  '3/16': 'float16',
  '3/32': 'float32',
  '3/64': 'float64',
};
/** none, LZW, deflate, PackBits, deflate's old number (TIFF 6.0, Adobe Technote 3), zstd (libtiff). */
const COMPRESSIONS: ReadonlySet<number> = new Set([1, 5, 8, 32_773, 32_946, 50_000]);
/** BlackIsZero, and WhiteIsZero whose stored values are kept as they are. */
const GREY: ReadonlySet<number> = new Set([0, 1]);
const RGB = 2;
/** Planes that one page may stand for. */
const MAX_IMAGES = 1_000_000;
/** What one plane may take in a worker's memory. */
const MAX_PLANE_BYTES = Math.min(MAX_CHUNK_BYTES, 2 ** 30);

/** Pure: how a TIFF becomes an image, or the sentence why it is landed as a plain file. */
export function planImage(tiff: TiffStructure): ImagePlan | string {
  const [first] = tiff.pages;
  if (!first) return 'the TIFF has no page';
  const unfit = unfitness(first);
  if (unfit) return unfit;
  const odd = tiff.pages.findIndex((page) => !isAlike(page, first));
  if (odd >= 0) return `page ${odd + 1} of the TIFF differs from page 1 in size or type`;
  const sizes = planeSizes(first);
  if (typeof sizes === 'string') return sizes;
  const { dtype, planeBytes } = sizes;
  const isStoredPlainly = first.compression === 1;
  if (isStoredPlainly) {
    const short = tiff.pages.findIndex((page) => !hasAllBytes(page, itemSizeBytes(dtype)));
    if (short >= 0) return `the strips of page ${short + 1} are shorter than its pixels`;
  }
  const pages = withContiguousPages(tiff, planeBytes);
  if (typeof pages === 'string') return pages;
  const order = pageOrder(first, pages.length, first.samplesPerPixel);
  if (typeof order === 'string') return order;
  return {
    dtype,
    width: first.width,
    height: first.height,
    ...order,
    samples: first.samplesPerPixel,
    littleEndian: tiff.littleEndian,
    pages,
    isStoredPlainly,
    facts: readTiffFacts(first),
  };
}

function planeSizes(page: TiffPage): { readonly dtype: Dtype; readonly planeBytes: number } | string {
  const dtype = DTYPES[`${page.sampleFormat}/${page.bitsPerSample[0]}`];
  if (!dtype) return `the TIFF's samples have ${page.bitsPerSample[0]} bits of format ${page.sampleFormat}`;
  const planeBytes = page.width * page.height * page.samplesPerPixel * itemSizeBytes(dtype);
  return planeBytes > MAX_PLANE_BYTES
    ? `a plane of ${planeBytes} bytes is too large for one chunk`
    : { dtype, planeBytes };
}

/**
 * Pure: pages of a file that is still written as planes of their own, in no order; undefined where they are none that
 * can be cut out of it.
 */
export function planPagesSoFar(littleEndian: boolean, pages: readonly TiffPage[]): ImagePlan | undefined {
  const [first] = pages;
  if (!first || unfitness(first) !== undefined || first.compression !== 1) return undefined;
  const sizes = planeSizes(first);
  if (typeof sizes === 'string') return undefined;
  const isOdd = (page: TiffPage): boolean =>
    !isAlike(page, first) || !hasAllBytes(page, itemSizeBytes(sizes.dtype));
  if (pages.some(isOdd)) return undefined;
  return {
    dtype: sizes.dtype,
    width: first.width,
    height: first.height,
    frames: pages.length,
    channels: first.samplesPerPixel,
    slices: 1,
    samples: first.samplesPerPixel,
    littleEndian,
    pages,
    positions: pages.map((_, index) => [index, 0, 0]),
    isStoredPlainly: true,
    facts: {},
  };
}

function unfitness(page: TiffPage): string | undefined {
  if (!COMPRESSIONS.has(page.compression))
    return `the TIFF's compression ${page.compression} is kept as it is`;
  if (page.fillOrder !== 1) return 'the TIFF has reversed bits (FillOrder 2)';
  const isGrey = page.samplesPerPixel === 1 && GREY.has(page.photometric);
  const isRgb = page.samplesPerPixel === 3 && page.photometric === RGB;
  if (!isGrey && !isRgb)
    return `the TIFF has ${page.samplesPerPixel} samples of photometric ${page.photometric}, neither grey nor RGB`;
  if (page.bitsPerSample.some((bits) => bits !== page.bitsPerSample[0]))
    return 'the TIFF has samples of different depth';
  return undefined;
}

function isAlike(a: TiffPage, b: TiffPage): boolean {
  return (
    a.width === b.width &&
    a.height === b.height &&
    a.samplesPerPixel === b.samplesPerPixel &&
    a.bitsPerSample[0] === b.bitsPerSample[0] &&
    a.sampleFormat === b.sampleFormat &&
    a.compression === b.compression &&
    a.photometric === b.photometric &&
    a.planarConfiguration === b.planarConfiguration &&
    a.fillOrder === b.fillOrder
  );
}

/** Whether every strip or tile is at least as long as the pixels it holds. */
function hasAllBytes(page: TiffPage, itemBytes: number): boolean {
  const samples = page.planarConfiguration === 2 ? 1 : page.samplesPerPixel;
  const { tile } = page;
  const perPlane = tile
    ? page.offsets.length
    : page.offsets.length / (page.planarConfiguration === 2 ? page.samplesPerPixel : 1);
  return page.byteCounts.every((byteCount, index) => {
    if (tile) return byteCount >= tile.width * tile.height * samples * itemBytes;
    const firstRow = (index % perPlane) * page.rowsPerStrip;
    const rows = Math.min(page.rowsPerStrip, page.height - firstRow);
    return byteCount >= rows * page.width * samples * itemBytes;
  });
}

/**
 * ImageJ and tifffile write stacks whose only page describes many planes lying one after another (ImageJ above
 * 4 GiB, tifffile with `truncate`). ImageJ's form is understood where all planes are there; tifffile's stays a plain file.
 */
function withContiguousPages(
  { pages, sizeBytes }: TiffStructure,
  planeBytes: number,
): readonly TiffPage[] | string {
  const [first] = pages;
  if (!first || pages.length !== 1) return pages;
  if (/"truncated":\s*true/.test(first.description ?? '')) return "the TIFF's one page stands for several";
  const images = Number(imageJFields(first.description)?.get('images') ?? 1);
  if (!(images > 1)) return pages;
  const plane = onePiece(first, planeBytes);
  const [start = 0] = first.offsets;
  if (
    !plane ||
    !Number.isSafeInteger(images) ||
    images > MAX_IMAGES ||
    start + images * planeBytes > sizeBytes
  )
    return `the TIFF's one page stands for ${images} (${planeBytes} bytes each)`;
  return Array.from({ length: images }, (_, index) => ({
    ...plane,
    offsets: plane.offsets.map((offset) => offset + index * planeBytes),
  }));
}

/** A page whose strips are one uncompressed plane without gaps; the one strip of ImageJ may claim to be all planes. */
function onePiece(page: TiffPage, planeBytes: number): TiffPage | undefined {
  if (page.tile || page.compression !== 1) return undefined;
  if (page.offsets.length === 1) return { ...page, byteCounts: [planeBytes] };
  let end = page.offsets[0] ?? 0;
  for (const [index, offset] of page.offsets.entries()) {
    if (offset !== end) return undefined;
    end += page.byteCounts[index] ?? 0;
  }
  return end - (page.offsets[0] ?? 0) === planeBytes ? page : undefined;
}

type PageOrder = Pick<ImagePlan, 'frames' | 'channels' | 'slices' | 'positions'>;

function pageOrder(first: TiffPage, count: number, samples: number): PageOrder | string {
  const imageJ = imageJFields(first.description);
  const sizes = imageJ
    ? {
        c: Number(imageJ.get('channels') ?? 1),
        z: Number(imageJ.get('slices') ?? 1),
        t: Number(imageJ.get('frames') ?? 1),
        order: 'czt',
      }
    : first.description?.includes('<OME')
      ? omeOrder(first.description, samples)
      : undefined;
  if (typeof sizes === 'string') return sizes;
  // Pages that nothing describes are a stack in z, which is how ImageJ shows them.
  const described = sizes && sizes.c * sizes.z * sizes.t === count ? sizes : undefined;
  if (sizes && !described && sizes.c * sizes.z * sizes.t !== 1)
    return `the TIFF has ${count} pages where its description says ${sizes.c} × ${sizes.z} × ${sizes.t}`;
  const { c, z, t, order } = described ?? { c: 1, z: count, t: 1, order: 'czt' };
  if (samples > 1 && c > 1) return 'the TIFF has RGB pixels and channels';
  const extents: Readonly<Record<string, number>> = { c, z, t };
  const positions = Array.from({ length: count }, (_, page) => {
    const at: Record<string, number> = { c: 0, z: 0, t: 0 };
    let rest = page;
    for (const axis of order) {
      const extent = extents[axis] ?? 1;
      at[axis] = rest % extent;
      rest = Math.floor(rest / extent);
    }
    return [at['t'] ?? 0, at['c'] ?? 0, at['z'] ?? 0] as const;
  });
  return { frames: t, channels: Math.max(c, samples), slices: z, positions };
}

/** Axis order of OME-XML's one `Pixels` whose pages follow one another without a map. */
function omeOrder(
  description: string,
  samples: number,
): { c: number; z: number; t: number; order: string } | string {
  const pixels = description.match(/<(?:\w+:)?Pixels\b[^>]*>/g) ?? [];
  const maps = description.match(/<(?:\w+:)?TiffData\b[^>]*>/g) ?? [];
  const [only = ''] = pixels;
  const number = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(only)?.[1] ?? 0);
  const order = /\bDimensionOrder="XY([CZT]{3})"/.exec(only)?.[1]?.toLowerCase();
  const isLinear = maps.every((map, index) => {
    const ifd = /\bIFD="(\d+)"/.exec(map)?.[1];
    const isFirst = !/\bFirst[CZT]="[1-9]/.test(map);
    return index === 0 && (ifd === undefined || ifd === '0') && isFirst;
  });
  if (pixels.length !== 1 || !order || !isLinear) return 'the OME-XML maps its pages in its own way';
  return { c: Math.max(1, number('SizeC') / samples), z: number('SizeZ'), t: number('SizeT'), order };
}
