import { fstatSync, futimesSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { UnsupportedTiffError } from '../core/errors.ts';
import { itemSizeBytes } from '../core/nd-array.ts';
import { storage } from '../core/storage.ts';
import { isPacked } from './array-format.ts';
import { planOf } from './file-plan.ts';
import type { ImagePlan } from './image-plan.ts';
import { landingId } from './landing.ts';
import type {
  ImageJob,
  ImageReport,
  Inspection,
  PagesJob,
  PlainJob,
  PlainReport,
  StagedPlanes,
} from './landing-job.ts';
import { pagesByKey } from './pages-ahead.ts';
import { origins, type PixelRun, pixelMap } from './pixel-runs.ts';
import { isTiffName } from './placement.ts';
import { DecodedPixels, StoredPixels } from './plane-pixels.ts';
import { type SealedFile, SealedReader } from './sealed-file.ts';
import { encodeRun, encodeSidecar, type Sidecar } from './sidecar.ts';
import { readPiece, runsOfPage, stagePlanes } from './stage-planes.ts';
import { stageTable } from './stage-table.ts';
import { createStaged, removeStaged, writeSparsely, writeStaged } from './staged-file.ts';
import { looksLikeTiff } from './tiff-structure.ts';

const COPY_BYTES = 1 << 20;
/** Bytes of a file that are no pixels: above this share of it, or this size, the file is kept whole instead. */
const MAX_GAP_SHARE = 0.5;
const MAX_GAP_BYTES = 64 << 20;
/** Files up to this size are read once, into memory that the worker keeps. */
const MAX_LOADED_BYTES = 64 << 20;

/** Memory of this worker that is used again for every file. */
class Scratch {
  private memory: Buffer = Buffer.alloc(0);

  take(sizeBytes: number): Buffer {
    if (this.memory.length < sizeBytes) this.memory = Buffer.allocUnsafeSlow(sizeBytes);
    return this.memory.subarray(0, sizeBytes);
  }
}

const fileMemory = new Scratch();

/** What a file is, from its name and its tags; no pixel is read. */
export function inspectFile(file: SealedFile): Inspection {
  if (!isTiffName(file.mountPath) || file.sizeBytes < 8) return { kind: 'plain' };
  using reader = new SealedReader(file);
  const head = Buffer.alloc(4);
  reader.read(0, head);
  if (!looksLikeTiff(head)) return { kind: 'plain', note: 'named like a TIFF but is none' };
  const plan = planOf(reader);
  if (typeof plan === 'string') return { kind: 'plain', note: plan };
  return {
    kind: 'image',
    dtype: plan.dtype,
    shape: [plan.frames, plan.channels, plan.slices, plan.height, plan.width],
    pages: plan.pages.length,
    isStoredPlainly: plan.isStoredPlainly,
    facts: plan.facts,
  };
}

/** Copies a whole file; returns the CRC-32 of its bytes. */
function copyWhole(reader: SealedReader, stagedPath: string): PlainReport {
  const descriptor = createStaged(stagedPath);
  try {
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(1, reader.file.sizeBytes)));
    let sum = 0;
    for (let at = 0; at < reader.file.sizeBytes; at += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, reader.file.sizeBytes - at));
      reader.read(at, piece);
      sum = crc32(piece, sum);
      writeSparsely(descriptor, piece, at);
    }
    storage.truncate(descriptor, reader.file.sizeBytes);
    const mtime = reader.file.mtimeMs / 1000;
    futimesSync(descriptor, mtime, mtime);
    return { crc32: sum, diskInode: fstatSync(descriptor).ino };
  } finally {
    storage.close(descriptor);
  }
}

/** Stages a plain file, and its table. What was staged is removed when it fails. */
export function stagePlain({ file, stagedPath, table }: PlainJob): PlainReport {
  using reader = new SealedReader(file);
  try {
    const copied = copyWhole(reader, stagedPath);
    return table === undefined ? copied : { ...copied, table: stageTable(reader, table) };
  } catch (error) {
    removeStaged([stagedPath]);
    throw error;
  }
}

/**
 * Stages the chunks, the sidecar and where needed the verbatim copy of an image, and proves that its bytes come
 * back. What was staged is removed when it fails.
 */
export async function stageImage(job: ImageJob): Promise<ImageReport> {
  const written: string[] = [job.sidecarPath, job.verbatimPath];
  try {
    using reader = new SealedReader(job.file);
    if (!job.staged && job.file.sizeBytes <= MAX_LOADED_BYTES)
      reader.load(fileMemory.take(job.file.sizeBytes));
    const plan = planOf(reader);
    if (typeof plan === 'string') throw new UnsupportedTiffError(job.file.mountPath, plan);
    let wholeCrc: number | undefined;
    if (!plan.isStoredPlainly) wholeCrc = copyWhole(reader, job.verbatimPath).crc32;
    const { planes, lower, givesFileBack } = job.staged ?? (await stageAll(job, reader, plan, written));
    const describe = (id: string, runs: readonly PixelRun[]): Sidecar => ({
      id,
      inode: job.file.inode,
      ...(job.file.owner === undefined ? {} : { owner: job.file.owner }),
      mountPath: job.file.mountPath,
      sizeBytes: job.file.sizeBytes,
      mtimeMs: job.file.mtimeMs,
      array: job.array,
      version: job.format.version,
      planeBytes: plan.width * plan.height * itemSizeBytes(plan.dtype),
      swapBytes: plan.littleEndian ? 1 : itemSizeBytes(plan.dtype),
      itemSizeBytes: itemSizeBytes(plan.dtype),
      checked: isPacked(job.format) && !job.format.isSharded ? 'pixels' : 'chunks',
      planes: planes.map((plane) => [...plane.index, plane.crc32] as const),
      runs: runs.map(encodeRun),
    });
    const report = (id: string, reason: string | undefined): ImageReport => ({
      id,
      exactness: reason === undefined ? 'reassembled' : 'verbatim',
      ...(reason === undefined ? {} : { reason }),
      chunks: [...planes, ...lower].map(({ crc32: _, ...plane }) => plane),
    });
    const runs = givesFileBack ? plan.pages.flatMap((_, index) => runsOfPage(plan, index)) : [];
    if (runs.length > 0) {
      const id = stageReassembled(job, reader, plan, runs, planes, describe);
      if (id !== undefined) return report(id, undefined);
    }
    wholeCrc ??= copyWhole(reader, job.verbatimPath).crc32;
    const id = landingId(job.file, wholeCrc);
    writeStaged(job.sidecarPath, encodeSidecar(describe(id, [])));
    return report(id, reasonOf(plan, runs.length > 0));
  } catch (error) {
    removeStaged(written);
    throw error;
  }
}

async function stageAll(
  job: ImageJob,
  reader: SealedReader,
  plan: ImagePlan,
  written: string[],
): Promise<StagedPlanes> {
  const pixels = plan.isStoredPlainly
    ? new StoredPixels(reader, plan)
    : await DecodedPixels.open(job.verbatimPath, plan);
  return stagePlanes(job, reader, plan, pixels, [0, plan.pages.length], written);
}

/** Stages some pages of an uncompressed image. What was staged is removed when it fails. */
export function stagePages({ image, from, to, ahead }: PagesJob): StagedPlanes {
  const written: string[] = [];
  try {
    using reader = new SealedReader(image.file);
    const plan = planOf(reader);
    if (typeof plan === 'string') throw new UnsupportedTiffError(image.file.mountPath, plan);
    const pixels = new StoredPixels(reader, plan);
    return stagePlanes(image, reader, plan, pixels, [from, to], written, pagesByKey(ahead));
  } catch (error) {
    removeStaged(written);
    throw error;
  }
}

/** Why an image's file can't be put together from its pixels and few other bytes. */
function reasonOf(plan: ImagePlan, hasRuns: boolean): string {
  if (!plan.isStoredPlainly) return 'it is compressed';
  if (hasRuns) return 'most of it is no pixels';
  return plan.samples > 1 ? 'its colours lie pixel by pixel' : 'its pixels are not as its tags say';
}

/**
 * Writes the sidecar with the bytes that are no pixels: the landing's id, or undefined when there are so many of
 * them that a copy of the file is the better record.
 */
function stageReassembled(
  job: ImageJob,
  reader: SealedReader,
  plan: ImagePlan,
  runs: readonly PixelRun[],
  planes: StagedPlanes['planes'],
  describe: (id: string, runs: readonly PixelRun[]) => Sidecar,
): string | undefined {
  const { sizeBytes } = job.file;
  const map = pixelMap(runs, itemSizeBytes(plan.dtype));
  const gapBytes = map.gapsBefore.at(-1) ?? 0;
  const tailBytes = sizeBytes - (map.starts.at(-1) ?? 0) - (map.sizes.at(-1) ?? 0);
  const boundBytes = Math.min(MAX_GAP_BYTES, Math.max(COPY_BYTES, MAX_GAP_SHARE * sizeBytes));
  if (gapBytes + tailBytes > boundBytes) return undefined;
  let sum = 0;
  for (const plane of planes) sum = crc32(plane.crc32.toString(16), sum);
  const gaps: Buffer[] = [];
  for (const origin of origins(map, 0, sizeBytes)) {
    if (origin.kind === 'pixels') continue;
    const bytes = readPiece(reader, origin.fileOffset, origin.sizeBytes);
    sum = crc32(bytes, sum);
    gaps.push(bytes);
  }
  const id = landingId(job.file, sum);
  writeStaged(job.sidecarPath, Buffer.concat([encodeSidecar(describe(id, runs)), ...gaps]));
  return id;
}
