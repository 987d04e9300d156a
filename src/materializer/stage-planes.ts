import { crc32 } from 'node:zlib';
import { halve } from '../core/downsample.ts';
import { itemSizeBytes } from '../core/nd-array.ts';
import { chunkKeyOf, isPacked, type PlaneIndex } from './array-format.ts';
import { encodeChunk } from './chunk-codec.ts';
import type { ImagePlan } from './image-plan.ts';
import type { ImageJob, StagedChunk, StagedPlane, StagedPlanes } from './landing-job.ts';
import { type PagesAhead, takePage } from './pages-ahead.ts';
import { copyPixels, type PixelRun, pixelRuns } from './pixel-runs.ts';
import type { PlanePixels } from './plane-pixels.ts';
import type { SealedReader } from './sealed-file.ts';
import { writePassing, writeStaged } from './staged-file.ts';

/** Bytes of a file that are compared at once. */
const COPY_BYTES = 1 << 20;

/**
 * Writes the chunks of pages `from` to `to`, which decode to their planes again ({@link encodeChunk} has tried), and
 * those of the lower levels; `givesFileBack` says that the planes also give every run of the file's own bytes. The
 * paths written to are added to `written`.
 */
export function stagePlanes(
  job: ImageJob,
  reader: SealedReader,
  plan: ImagePlan,
  pixels: PlanePixels,
  [from, to]: readonly [from: number, to: number],
  written: string[],
  ahead?: PagesAhead,
): StagedPlanes {
  const planes: StagedChunk[] = [];
  const lower: StagedChunk[] = [];
  let givesFileBack = plan.isStoredPlainly;
  for (let page = from; page < to; page++) {
    const known =
      ahead &&
      takePage(ahead, reader.file, plan, page, (plane, sample) =>
        chunkPlace(job, plane.level, indexOf(job, plan, page, sample), page * plan.samples + sample),
      );
    if (known) {
      written.push(...[...known.planes, ...known.lower].map(({ stagedPath }) => stagedPath));
      planes.push(...known.planes);
      lower.push(...known.lower);
      givesFileBack &&= known.givesFileBack;
      continue;
    }
    const samples = pixels.page(page);
    const runs = givesFileBack ? runsOfPage(plan, page) : [];
    givesFileBack = runs.length > 0;
    samples.forEach((bytes, sample) => {
      const number = page * plan.samples + sample;
      const index = indexOf(job, plan, page, sample);
      const stage = (level: number, content: Uint8Array): StagedChunk =>
        stageChunk(job, plan, { level, index }, number, content, written);
      planes.push(stage(0, bytes));
      for (const run of runs) {
        if (run.chunk === number && !isRunOf(reader, plan, run, bytes)) givesFileBack = false;
      }
      let above = { height: plan.height, width: plan.width, bytes };
      for (let level = 1; level < job.levels.count; level++) {
        above = halve(above, plan.dtype, job.levels.downsampling);
        lower.push(stage(level, above.bytes));
      }
    });
  }
  return { planes, lower, givesFileBack };
}

/** Writes a plane of a level: as the chunk that it is, or for the chunk file that it is to be put into. */
function stageChunk(
  job: ImageJob,
  { dtype }: ImagePlan,
  { level, index }: Pick<StagedPlane, 'level' | 'index'>,
  number: number,
  content: Uint8Array,
  written: string[],
): StagedChunk {
  const { format } = job;
  const plane = chunkPlace(job, level, index, number);
  const { stagedPath } = plane;
  const packed = isPacked(format);
  written.push(stagedPath);
  const isEncoded = !packed || format.isSharded;
  const encoded = isEncoded ? encodeChunk(format.codec, content, itemSizeBytes(dtype), stagedPath) : content;
  if (packed) writePassing(stagedPath, encoded);
  else writeStaged(stagedPath, encoded);
  return { ...plane, crc32: crc32(encoded) };
}

function indexOf({ base }: ImageJob, plan: ImagePlan, page: number, sample: number): PlaneIndex {
  const [t = 0, c = 0, z = 0] = plan.positions[page] ?? [];
  return [base[0] + t, base[1] + c + sample, base[2] + z];
}

/** Where a plane of a level is staged, and the key of its chunk file. */
function chunkPlace(
  { format, chunkRoot, chunkPrefix }: ImageJob,
  level: number,
  index: PlaneIndex,
  number: number,
): StagedPlane {
  const key = chunkKeyOf(format, index);
  const isInPlace = chunkRoot !== undefined && !isPacked(format);
  const stagedPath = isInPlace ? `${chunkRoot}/${level}/${key}` : `${chunkPrefix}.${level}.${number}`;
  return { level, index, key, stagedPath };
}

/** Runs of one page; none when its pixels are no verbatim runs of the chunks. */
export function runsOfPage(plan: ImagePlan, index: number): PixelRun[] {
  const page = plan.pages[index];
  if (!page || (plan.samples > 1 && page.planarConfiguration !== 2)) return [];
  return pixelRuns(page, itemSizeBytes(plan.dtype), index * plan.samples);
}

/**
 * Whether the file has exactly the bytes that the run would put together out of the chunk, which decodes to
 * `plane`: nothing to compare where the plane lies in the loaded file and the run is that very part of it.
 */
function isRunOf(reader: SealedReader, plan: ImagePlan, run: PixelRun, plane: Uint8Array): boolean {
  const swapBytes = plan.littleEndian ? 1 : itemSizeBytes(plan.dtype);
  for (let row = 0; row < run.rows; row++) {
    const fileOffset = run.fileOffset + row * run.fileStride;
    const chunkOffset = run.chunkOffset + row * run.chunkStride;
    for (let at = 0; at < run.sizeBytes; at += COPY_BYTES) {
      const count = Math.min(COPY_BYTES, run.sizeBytes - at);
      const original = reader.view(fileOffset + at, count) ?? readPiece(reader, fileOffset + at, count);
      if (swapBytes === 1) {
        const start = chunkOffset + at;
        const isSameMemory =
          original.buffer === plane.buffer &&
          original.byteOffset === plane.byteOffset + start &&
          start + count <= plane.length;
        if (isSameMemory) continue;
        if (original.compare(plane, start, start + count) !== 0) return false;
        continue;
      }
      const back = Buffer.allocUnsafe(count);
      copyPixels(plane, chunkOffset, at, swapBytes, back);
      if (!original.equals(back)) return false;
    }
  }
  return true;
}

export function readPiece(reader: SealedReader, offsetBytes: number, sizeBytes: number): Buffer {
  const piece = Buffer.allocUnsafe(sizeBytes);
  reader.read(offsetBytes, piece);
  return piece;
}
