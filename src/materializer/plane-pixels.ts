import { BadTiffError, UnsupportedTiffError } from '../core/errors.ts';
import { itemSizeBytes } from '../core/nd-array.ts';
import { loadAll } from '../core/plugin.ts';
import { SOURCES } from '../registry.generated.ts';
import type { PlaneBytes } from '../sources.ts';
import type { ImagePlan } from './image-plan.ts';
import { type PixelRun, pixelRuns } from './pixel-runs.ts';
import type { SealedReader } from './sealed-file.ts';

/** The decoded planes of an image, page by page: one per sample, little-endian, C order. */
export interface PlanePixels {
  /** The planes of one page, valid until the next call. */
  page(index: number): readonly Uint8Array[];
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

  page(index: number): readonly Uint8Array[] {
    const { plan } = this;
    const page = plan.pages[index];
    if (!page) throw new RangeError(`page ${index} of ${this.reader.file.mountPath}`);
    const itemBytes = itemSizeBytes(plan.dtype);
    const planeBytes = plan.width * plan.height * itemBytes;
    const sizeBytes = planeBytes * plan.samples;
    const isPlanar = page.planarConfiguration === 2;
    const runs = pixelRuns(page, itemBytes, 0);
    const [only] = runs;
    if (only && runs.length === 1 && only.rows === 1 && plan.samples === 1 && plan.littleEndian) {
      const view = this.reader.view(only.fileOffset, sizeBytes);
      if (view) return [view];
    }
    if (this.buffer.length !== sizeBytes) this.buffer = Buffer.allocUnsafeSlow(sizeBytes);
    for (const run of runs) {
      this.readRun(run, this.buffer.subarray(isPlanar ? run.chunk * planeBytes : 0));
    }
    if (!plan.littleEndian) swapInPlace(this.buffer, itemBytes);
    if (plan.samples === 1) return [this.buffer];
    if (!isPlanar) return splitSamples(this.buffer, plan.samples, itemBytes);
    return Array.from({ length: plan.samples }, (_, sample) =>
      this.buffer.subarray(sample * planeBytes, (sample + 1) * planeBytes),
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
}

/** Planes of a compressed file, decoded by the source driver that opens it. */
export class DecodedPixels implements PlanePixels {
  private readonly readPlane: (page: number) => PlaneBytes;
  private readonly plan: ImagePlan;
  private readonly path: string;

  private constructor(readPlane: (page: number) => PlaneBytes, plan: ImagePlan, path: string) {
    this.readPlane = readPlane;
    this.plan = plan;
    this.path = path;
  }

  /** @throws UnsupportedTiffError when no driver decodes the file. */
  static async open(path: string, plan: ImagePlan): Promise<DecodedPixels> {
    const driver = (await loadAll(SOURCES)).find((candidate) => candidate.canOpen(path));
    const readPlane = driver?.readPlaneSync?.bind(driver);
    if (!readPlane) throw new UnsupportedTiffError(path, 'no source driver decodes it');
    return new DecodedPixels((page) => readPlane(path, page), plan, path);
  }

  /** @throws BadTiffError, UnsupportedTiffError when the pixels are not what the tags promise. */
  page(index: number): readonly Uint8Array[] {
    const { plan } = this;
    const { info, bytes } = this.readPlane(index);
    const itemBytes = itemSizeBytes(plan.dtype);
    const planeBytes = plan.width * plan.height * itemBytes;
    if (info.dtype !== plan.dtype || bytes.length !== planeBytes * plan.samples)
      throw new BadTiffError(
        this.path,
        `page ${index + 1} decodes to ${info.dtype} [${info.shape.join(', ')}]`,
      );
    if (plan.samples === 1) return [bytes];
    if (info.axes.endsWith('s'))
      return splitSamples(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), plan.samples, itemBytes);
    return Array.from({ length: plan.samples }, (_, sample) =>
      bytes.subarray(sample * planeBytes, (sample + 1) * planeBytes),
    );
  }
}
