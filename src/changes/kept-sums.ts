import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { StateCorruptError } from '../core/errors.ts';
import { readFully } from '../core/io.ts';
import { UNIT_BYTES, unitSum } from '../core/unit-sums.ts';
import type { Landing } from '../materializer/landing.ts';
import type { ByteRange } from '../overlay/durable-log.ts';
import { joined } from './check-bytes.ts';

/** Beside a copy that was kept for revisions: CRC-32 of the rest, then the sums of its units; u32 each, little-endian. */
const SUMS_END = '.sums';

export const sumsPathOf = (keptPath: string): string => keptPath + SUMS_END;

/** The name of what is kept that a file in its folder is, or is the sums of. */
export const keptNameOf = (name: string): string =>
  name.endsWith(SUMS_END) ? name.slice(0, -SUMS_END.length) : name;

const STAGED_END = '.part';

/** Where what is to be kept is laid ready. */
export const stagedPathOf = (keptPath: string): string => keptPath + STAGED_END;

/** Whether a file is being laid ready, or its sums are. */
export const isStaged = (name: string): boolean => keptNameOf(name).endsWith(STAGED_END);

export function encodeSums(sums: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 + 4 * sums.length);
  for (const [i, sum] of sums.entries()) bytes.writeUInt32LE(sum, 4 + 4 * i);
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

/** The sums of a kept copy; undefined where it has none: it is a file that landed as it was. */
export function readSums(keptPath: string): Uint32Array | undefined {
  const path = sumsPathOf(keptPath);
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  if (bytes.length < 4 || crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0))
    throw new StateCorruptError(path, 'its checksums are damaged');
  return Uint32Array.from({ length: bytes.length / 4 - 1 }, (_, i) => bytes.readUInt32LE(4 + 4 * i));
}

/**
 * What of the kept bytes of a landing is not what landed. Of a file that landed as it was the sum of the whole alone
 * is known: then all of it is named.
 * @throws StateCorruptError where its checksums are damaged.
 */
export function damagedKept(keptPath: string, landing: Landing): ByteRange[] {
  const { sizeBytes, id } = landing;
  const present = statSync(keptPath).size;
  if (present !== sizeBytes)
    return [{ from: Math.min(present, sizeBytes), to: Math.max(present, sizeBytes) }];
  const sums = readSums(keptPath);
  const fd = openSync(keptPath, 'r');
  const room = Buffer.allocUnsafe(UNIT_BYTES);
  const found: ByteRange[] = [];
  let whole = 0;
  try {
    for (let from = 0; from < sizeBytes; from += UNIT_BYTES) {
      const bytes = room.subarray(0, readFully(fd, room, from));
      whole = crc32(bytes, whole);
      if (sums && unitSum(bytes) !== sums[from / UNIT_BYTES]) found.push({ from, to: from + bytes.length });
    }
  } finally {
    closeSync(fd);
  }
  if (sums) return joined(found);
  const isWhole = landing.kind === 'plain' || landing.exactness === 'verbatim';
  const expected = /-([0-9a-f]{8})$/.exec(id)?.[1];
  const isGood = !isWhole || expected === undefined || expected === whole.toString(16).padStart(8, '0');
  return isGood || sizeBytes === 0 ? [] : [{ from: 0, to: sizeBytes }];
}
