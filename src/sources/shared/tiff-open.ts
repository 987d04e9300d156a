import { elementCount, itemSizeBytes } from '../../core/nd-array.ts';
import { isInside, type Region } from '../../core/region.ts';
import type {
  ByteWindow,
  ItemPath,
  OpenSource,
  SourceCatalog,
  SparseEntries,
  TableRows,
} from '../../sources.ts';
import { readExactly } from './tiff-bytes.ts';
import { arrayAxes, type DescribedTiff, describeTiff, levelPath } from './tiff-catalog.ts';
import { decodeBox, type PageBox } from './tiff-decode.ts';
import type { TiffPage } from './tiff-page.ts';
import { swapBytes } from './tiff-predictor.ts';
import type { SeriesLevel, TiffSeries } from './tiff-series.ts';
import { boxOffset } from './tiff-window.ts';

/** Pixels that can be read under a path: a series or one of its levels. */
interface Target {
  readonly series: TiffSeries;
  readonly level?: SeriesLevel;
  /** All five axes. */
  readonly shape: readonly number[];
}

/** A page of the region, and which of its samples stand in it. */
interface PagePart {
  readonly t: number;
  readonly z: number;
  /** First channel of the page that is wanted, counted in the region, and how many. */
  readonly c: number;
  readonly firstSample: number;
  readonly sampleCount: number;
  /** In C order of t, page channel, z. */
  readonly place: number;
}

/** Every page that a region of five axes touches, in C order of t, channel of the page, z. */
function* partsOf(region: Region, { shape, series: { samples } }: Target): Generator<PagePart> {
  const [t0 = 0, c0 = 0, z0 = 0] = region.start;
  const [tCount = 0, cCount = 0, zCount = 0] = region.shape;
  const [, channels = 1, slices = 1] = shape;
  for (let t = 0; t < tCount; t++) {
    for (let c = 0; c < cCount; ) {
      const firstSample = (c0 + c) % samples;
      const sampleCount = Math.min(samples - firstSample, cCount - c);
      const pageChannel = Math.floor((c0 + c) / samples);
      for (let z = 0; z < zCount; z++) {
        const place = ((t0 + t) * (channels / samples) + pageChannel) * slices + z0 + z;
        yield { t, z, c, firstSample, sampleCount, place };
      }
      c += sampleCount;
    }
  }
}

/** A TIFF that was described, open on one thread. */
export class OpenTiff implements OpenSource {
  readonly #path: string;
  readonly #tiff: DescribedTiff;
  readonly #targets = new Map<ItemPath, Target>();

  /** @throws SourceChangedError when it is not what `catalog` describes; what `describeTiff` throws */
  constructor(path: string, catalog: SourceCatalog) {
    this.#path = path;
    this.#tiff = describeTiff(path, undefined, catalog);
    const images = this.#tiff.catalog.items.filter((item) => item.kind === 'image');
    for (const [i, { path: at, image }] of images.entries()) {
      const series = this.#tiff.series[i];
      if (!series) continue;
      this.#targets.set(at, { series, shape: image.shape });
      for (const [k, level] of series.levels.entries())
        this.#targets.set(levelPath(at, k), {
          series,
          level,
          shape: [...image.shape.slice(0, 3), level.height, level.width],
        });
    }
  }

  readRegion(path: ItemPath, asked: Region, target: Uint8Array): void {
    const { wanted, region } = this.#look(path, asked);
    const { dtype } = wanted.series.image;
    const itemBytes = itemSizeBytes(dtype);
    const sizeBytes = elementCount(region.shape) * itemBytes;
    if (target.length !== sizeBytes)
      throw new RangeError(
        `a region of ${sizeBytes} bytes of ${this.#path} is no target of ${target.length}`,
      );
    if (sizeBytes === 0) return;
    const [, cCount = 0, zCount = 0, height = 0, width = 0] = region.shape;
    const [, , , y = 0, x = 0] = region.start;
    const planeBytes = height * width * itemBytes;
    for (const { t, z, c, firstSample, sampleCount, place } of partsOf(region, wanted)) {
      const planeAt = (channel: number): Uint8Array => {
        const start = ((t * cCount + c + channel) * zCount + z) * planeBytes;
        return target.subarray(start, start + planeBytes);
      };
      const box = { y, x, height, width, planes: { first: firstSample, count: sampleCount } };
      this.#readPage(wanted, place, box, planeAt, sampleCount);
    }
  }

  #readPage(
    wanted: Target,
    place: number,
    box: PageBox,
    planeAt: (channel: number) => Uint8Array,
    sampleCount: number,
  ): void {
    const { samples, planar, places } = wanted.series;
    const { page, fd } = this.#page(wanted, place);
    const itemBytes = itemSizeBytes(page.dtype);
    if (places.stackOffset !== undefined) {
      this.#readStack(
        fd,
        page,
        places.stackOffset + (places.pages[place] ?? 0) * page.sizeBytes,
        box,
        planeAt,
        sampleCount,
      );
      return;
    }
    if (samples === 1) {
      const plane = planeAt(0);
      if (plane.byteOffset % itemBytes === 0) decodeBox(fd, page, box, plane);
      else plane.set(decodeBox(fd, page, box));
      return;
    }
    const bytes = decodeBox(fd, page, box);
    if (!planar) {
      pickSamples(bytes, page.samples, box.planes?.first ?? 0, sampleCount, itemBytes, planeAt);
      return;
    }
    const planeBytes = box.height * box.width * itemBytes;
    for (let sample = 0; sample < sampleCount; sample++)
      planeAt(sample).set(bytes.subarray(sample * planeBytes, (sample + 1) * planeBytes));
  }

  /** A plane of a stack that a single directory stands for. */
  #readStack(
    fd: number,
    page: TiffPage,
    offset: number,
    box: PageBox,
    planeAt: (channel: number) => Uint8Array,
    sampleCount: number,
  ): void {
    const itemBytes = itemSizeBytes(page.dtype);
    const pixelBytes = page.samples * itemBytes;
    const rowBytes = page.width * pixelBytes;
    const rows = new Uint8Array(box.height * rowBytes);
    readExactly(fd, page.path, rows, rows.length, offset + box.y * rowBytes);
    if (!page.littleEndian) swapBytes(rows, itemBytes);
    const bytes = new Uint8Array(box.height * box.width * pixelBytes);
    for (let row = 0; row < box.height; row++) {
      const start = row * rowBytes + box.x * pixelBytes;
      bytes.set(rows.subarray(start, start + box.width * pixelBytes), row * box.width * pixelBytes);
    }
    pickSamples(bytes, page.samples, box.planes?.first ?? 0, sampleCount, itemBytes, planeAt);
  }

  #page({ series, level }: Target, place: number): { page: TiffPage; fd: number } {
    const { files } = this.#tiff;
    const { places } = level?.places ? { places: level.places } : series;
    const number = places.files?.[place] ?? 0;
    const index = places.stackOffset === undefined ? (places.pages[place] ?? 0) : 0;
    const page =
      level?.below === undefined ? files.page(number, index) : files.pageBelow(number, index, level.below);
    const { width, height } = level ?? { width: series.image.shape[4], height: series.image.shape[3] };
    if (
      page.width !== width ||
      page.height !== height ||
      page.samples !== series.samples ||
      page.planar !== series.planar ||
      page.dtype !== series.image.dtype
    ) {
      throw page.bad(
        `the directory at ${page.ifdOffset} has ${page.width} by ${page.height} pixels of ${page.dtype}, not ${width} by ${height} of ${series.image.dtype}`,
      );
    }
    return { page, fd: files.file(number).fd };
  }

  window(path: ItemPath, asked: Region): ByteWindow | undefined {
    const { wanted, region } = this.#look(path, asked);
    const itemBytes = itemSizeBytes(wanted.series.image.dtype);
    const [, , , y = 0, x = 0] = region.start;
    const [, , , height = 0, width = 0] = region.shape;
    const { samples, planar, places } = wanted.series;
    if (elementCount(region.shape) === 0 || (samples > 1 && !planar)) return undefined;
    const planeBytes = height * width * itemBytes;
    let found: { path: string; offsetBytes: number; sizeBytes: number } | undefined;
    const cCount = region.shape[1] ?? 0;
    const zCount = region.shape[2] ?? 0;
    // Samples in planes of their own follow each other only where a page has all of z.
    if (planar && samples > 1 && zCount > 1 && cCount > 1) return undefined;
    for (const { place, firstSample, sampleCount } of partsOf(region, wanted)) {
      const { page } = this.#page(wanted, place);
      for (let sample = firstSample; sample < firstSample + sampleCount; sample++) {
        const box = { y, x, height, width };
        const moved = places.stackOffset === undefined ? 0 : (places.pages[place] ?? 0) * page.sizeBytes;
        const offset = boxOffset(page, box, sample);
        if (offset === undefined) return undefined;
        const at = offset + moved;
        if (found === undefined) found = { path: page.path, offsetBytes: at, sizeBytes: 0 };
        else if (found.path !== page.path || at !== found.offsetBytes + found.sizeBytes) return undefined;
        found.sizeBytes += planeBytes;
      }
    }
    return found;
  }

  filesOf(): readonly string[] {
    return this.#tiff.files.paths;
  }

  /** What a path and a region name: of five axes, or of the array's own, which lack those of extent 1. */
  #look(path: ItemPath, asked: Region): { wanted: Target; region: Region } {
    const wanted = this.#targets.get(path);
    if (!wanted) throw new RangeError(`${this.#path} has no pixels called '${path}'`);
    const { shape, level } = wanted;
    let region = asked;
    const axes = arrayAxes(shape);
    if (asked.start.length !== 5 && level === undefined && asked.start.length === axes.length) {
      const start = [0, 0, 0, 0, 0];
      const extents = [1, 1, 1, 1, 1];
      for (const [i, axis] of axes.entries()) {
        start[axis] = asked.start[i] ?? 0;
        extents[axis] = asked.shape[i] ?? 0;
      }
      region = { start, shape: extents };
    }
    if (isInside(region, shape)) return { wanted, region };
    throw new RangeError(`[${asked.start}] + [${asked.shape}] is not inside '${path}' of ${this.#path}`);
  }

  readRows(path: ItemPath): TableRows {
    throw new RangeError(`${this.#path} has no table '${path}'`);
  }

  readEntries(path: ItemPath): SparseEntries {
    throw new RangeError(`${this.#path} has no sparse matrix '${path}'`);
  }

  memberNames(path: ItemPath): readonly string[] {
    throw new RangeError(`${this.#path} has no tables '${path}'`);
  }

  [Symbol.dispose](): void {
    this.#tiff.files[Symbol.dispose]();
  }
}

/** Takes samples that lie side by side apart: each into a plane of its own. */
function pickSamples(
  bytes: Uint8Array,
  samples: number,
  first: number,
  count: number,
  itemBytes: number,
  planeAt: (channel: number) => Uint8Array,
): void {
  for (let sample = 0; sample < count; sample++) {
    const plane = planeAt(sample);
    let from = (first + sample) * itemBytes;
    if (itemBytes === 1) {
      for (let to = 0; to < plane.length; to++, from += samples) plane[to] = bytes[from] as number;
      continue;
    }
    for (let to = 0; to < plane.length; to += itemBytes, from += samples * itemBytes)
      for (let byte = 0; byte < itemBytes; byte++) plane[to + byte] = bytes[from + byte] as number;
  }
}
