import { type FileHandle, open } from 'node:fs/promises';
import { DeviceFailedError } from '../core/errors.ts';
import { allocate, bytesOf, elementCount, itemSizeBytes, type NdArray, release } from '../core/nd-array.ts';
import type { Region } from '../core/region.ts';
import type { ImageEncoder, Segment } from '../encoders.ts';
import type { ImageInfo } from '../model/image.ts';

const MAX_UINT16 = 65_535;

/**
 * Labels as they are saved: uint16 while they fit (every program reads that), else uint32. Takes over the memory
 * of `labels`.
 * @throws DeviceFailedError for a negative label, which no labelling gives.
 */
export function narrowLabels(labels: NdArray): NdArray {
  let greatest = 0;
  for (const label of labels.data) {
    if (label < 0) throw new DeviceFailedError(`a label image holds ${label}`);
    if (Number(label) > greatest) greatest = Number(label);
  }
  const narrow = allocate(greatest <= MAX_UINT16 ? 'uint16' : 'uint32', labels.shape);
  for (let i = 0; i < narrow.data.length; i++) narrow.data[i] = Number(labels.data[i]);
  release(labels);
  return narrow;
}

/** The bytes of a region of an array of the same rank, in C order; shares memory where they lie in one piece. */
function regionBytes(array: NdArray, { start, shape }: Region): Uint8Array {
  const itemBytes = itemSizeBytes(array.dtype);
  const all = bytesOf(array);
  const strides = array.shape.map((_, axis) => elementCount(array.shape.slice(axis + 1)));
  // axes from `whole` on are taken entirely, so that one run covers them and a stretch of the axis before
  let whole = array.shape.length;
  while (whole > 0 && shape[whole - 1] === array.shape[whole - 1]) whole--;
  const runAxis = Math.max(0, whole - 1);
  const runBytes = elementCount(shape.slice(runAxis)) * itemBytes;
  const runCount = elementCount(shape.slice(0, runAxis));
  const offsetOfRun = (run: number): number => {
    let offset = 0;
    let rest = run;
    for (let axis = array.shape.length - 1; axis >= 0; axis--) {
      const extent = axis < runAxis ? (shape[axis] ?? 1) : 1;
      offset += ((start[axis] ?? 0) + (rest % extent)) * (strides[axis] ?? 1);
      rest = Math.floor(rest / extent);
    }
    return offset * itemBytes;
  };
  if (runCount === 1) return all.subarray(offsetOfRun(0), offsetOfRun(0) + runBytes);
  const bytes = new Uint8Array(runCount * runBytes);
  for (let run = 0; run < runCount; run++) {
    const from = offsetOfRun(run);
    bytes.set(all.subarray(from, from + runBytes), run * runBytes);
  }
  return bytes;
}

async function writeAll(file: FileHandle, bytes: Uint8Array, offsetBytes: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, offsetBytes + done);
    done += bytesWritten;
  }
}

function segmentBytes(segment: Segment, pixels: NdArray): Uint8Array {
  if (segment.kind === 'bytes') return segment.bytes;
  if (segment.kind === 'pixels') return regionBytes(pixels, segment.region);
  return segment.derive((region, target) => target.set(regionBytes(pixels, region)));
}

/** Writes a new file of these bytes. @throws the system's error; the file may be there in part then. */
export async function writeNewFile(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await writeAll(file, bytes, 0);
}

/**
 * Writes an image as a new file and gives its size in bytes. `pixels` has the shape of `info`: t, c, z, y, x.
 * @throws FsRefusal when the format can't hold it, or the system's error; the file may be there in part then.
 */
export async function writeImageFile(
  path: string,
  encoder: ImageEncoder,
  info: ImageInfo,
  pixels: NdArray,
): Promise<number> {
  const layout = encoder.layout(info);
  await using file = await open(path, 'wx', 0o600);
  for (const segment of layout.segments(0, layout.sizeBytes)) {
    await writeAll(file, segmentBytes(segment, pixels), segment.offsetBytes);
  }
  return layout.sizeBytes;
}
