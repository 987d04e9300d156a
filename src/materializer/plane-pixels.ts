import { BadTiffError, UnsupportedTiffError } from '../core/errors.ts';
import { bytesOf, itemSizeBytes } from '../core/nd-array.ts';
import { loadAll } from '../core/plugin.ts';
import { SOURCES } from '../registry.generated.ts';
import type { ArraySource } from '../sources.ts';
import type { ImagePlan } from './image-plan.ts';
import { type PixelRun, pixelRuns } from './pixel-runs.ts';
import type { SealedReader } from './sealed-file.ts';

/** The decoded planes of an image, page by page: one per sample, little-endian, C order. */
export interface PlanePixels extends AsyncDisposable {
  /** The planes of one page, valid until the next call. */
  page(index: number, signal: AbortSignal): Promise<readonly Uint8Array[]>;
}

function swapInPlace(bytes: Buffer, itemBytes: number): void {
  if (itemBytes === 2) bytes.swap16();
  else if (itemBytes === 4) bytes.swap32();
  else if (itemBytes === 8) bytes.swap64();
}

/** Splits `RGBRGB…` into planes. */
function splitSamples(pixels: Buffer, samples: number, itemBytes: number): Uint8Array[] {
  const planes = Array.from({ length: samples }, () => Buffer.allocUnsafeSlow(pixels.length / samples));
  const pixelBytes = samples * itemBytes;
  planes.forEach((plane, sample) => {
    let at = 0;
    for (let from = sample * itemBytes; from < pixels.length; from += pixelBytes)
      for (let byte = 0; byte < itemBytes; byte++) plane[at++] = pixels[from + byte] ?? 0;
  });
  return planes;
}

/** Planes of an uncompressed file, copied out of it. */
export class StoredPixels implements PlanePixels {
  private readonly reader: SealedReader;
  private readonly plan: ImagePlan;
  private buffer: Buffer = Buffer.alloc(0);
  private strip: Buffer = Buffer.alloc(0);

  constructor(reader: SealedReader, plan: ImagePlan) {
    this.reader = reader;
    this.plan = plan;
  }

  page(index: number): Promise<readonly Uint8Array[]> {
    const { plan } = this;
    const page = plan.pages[index];
    if (!page) throw new RangeError(`page ${index} of ${this.reader.file.mountPath}`);
    const itemBytes = itemSizeBytes(plan.dtype);
    const planeBytes = plan.width * plan.height * itemBytes;
    const sizeBytes = planeBytes * plan.samples;
    if (this.buffer.length !== sizeBytes) this.buffer = Buffer.allocUnsafeSlow(sizeBytes);
    const isPlanar = page.planarConfiguration === 2;
    for (const run of pixelRuns(page, itemBytes, 0)) {
      this.readRun(run, this.buffer.subarray(isPlanar ? run.chunk * planeBytes : 0));
    }
    if (!plan.littleEndian) swapInPlace(this.buffer, itemBytes);
    if (plan.samples === 1) return Promise.resolve([this.buffer]);
    if (!isPlanar) return Promise.resolve(splitSamples(this.buffer, plan.samples, itemBytes));
    return Promise.resolve(
      Array.from({ length: plan.samples }, (_, sample) =>
        this.buffer.subarray(sample * planeBytes, (sample + 1) * planeBytes),
      ),
    );
  }

  /** A tile is read in one piece and its rows are spread. */
  private readRun(run: PixelRun, plane: Buffer): void {
    if (run.rows === 1) {
      this.reader.read(run.fileOffset, plane.subarray(run.chunkOffset, run.chunkOffset + run.sizeBytes));
      return;
    }
    const spanBytes = (run.rows - 1) * run.fileStride + run.sizeBytes;
    if (this.strip.length < spanBytes) this.strip = Buffer.allocUnsafeSlow(spanBytes);
    this.reader.read(run.fileOffset, this.strip.subarray(0, spanBytes));
    for (let row = 0; row < run.rows; row++) {
      const from = row * run.fileStride;
      plane.set(this.strip.subarray(from, from + run.sizeBytes), run.chunkOffset + row * run.chunkStride);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** Planes of a compressed file, decoded by the source driver that opens it. */
export class DecodedPixels implements PlanePixels {
  private readonly source: ArraySource;
  private readonly plan: ImagePlan;
  private readonly path: string;

  private constructor(source: ArraySource, plan: ImagePlan, path: string) {
    this.source = source;
    this.plan = plan;
    this.path = path;
  }

  /** @throws UnsupportedTiffError when no driver opens the file or sees another image in it than its tags say. */
  static async open(path: string, plan: ImagePlan, signal: AbortSignal): Promise<DecodedPixels> {
    const driver = (await loadAll(SOURCES)).find((candidate) => candidate.canOpen(path));
    if (!driver) throw new UnsupportedTiffError(path, 'no source driver decodes it');
    const source = await driver.openArray(path, signal);
    if (source.info.dtype !== plan.dtype) {
      await source[Symbol.asyncDispose]();
      throw new UnsupportedTiffError(path, `decodes to ${source.info.dtype} instead of ${plan.dtype}`);
    }
    return new DecodedPixels(source, plan, path);
  }

  async page(index: number, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    const { plan } = this;
    const region = this.region(index);
    const array = await this.source.read(region, signal);
    const bytes = bytesOf(array);
    const itemBytes = itemSizeBytes(plan.dtype);
    const planeBytes = plan.width * plan.height * itemBytes;
    if (array.dtype !== plan.dtype || bytes.length !== planeBytes * plan.samples)
      throw new BadTiffError(this.path, `page ${index + 1} decodes to ${bytes.length} bytes`);
    if (plan.samples === 1) return [bytes];
    if (/[sc]$/.test(this.source.info.axes))
      return splitSamples(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), plan.samples, itemBytes);
    return Array.from({ length: plan.samples }, (_, sample) =>
      bytes.subarray(sample * planeBytes, (sample + 1) * planeBytes),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
  }

  /** The driver's region of page `index`: by the axes both agree on, else by the page's number. */
  private region(index: number): { start: number[]; shape: number[] } {
    const { plan } = this;
    const { axes, shape } = this.source.info;
    const [t = 0, c = 0, z = 0] = plan.positions[index] ?? [];
    const extents: Record<string, readonly [start: number, extent: number, of: number]> = {
      t: [t, 1, plan.frames],
      c: plan.samples > 1 ? [0, plan.samples, plan.samples] : [c, 1, plan.channels],
      z: [z, 1, plan.slices],
      s: [0, plan.samples, plan.samples],
      y: [0, plan.height, plan.height],
      x: [0, plan.width, plan.width],
    };
    const start: number[] = [];
    const size: number[] = [];
    [...axes].forEach((axis, place) => {
      const known = extents[axis] ?? [index, 1, plan.pages.length];
      if (shape[place] !== known[2])
        throw new UnsupportedTiffError(this.path, `decodes to ${axes} [${shape.join(', ')}]`);
      start.push(known[0]);
      size.push(known[1]);
    });
    return { start, shape: size };
  }
}
