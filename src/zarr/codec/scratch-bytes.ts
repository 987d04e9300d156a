/** Larger memory is not kept. */
const KEEP_BYTES = 16 * 1024 * 1024;

let kept = Buffer.alloc(0);

/**
 * Memory of this thread with chance bytes in it, valid until the next call: what is needed for a moment only, again
 * and again, would have the collector run as often.
 */
export function scratchBytes(sizeBytes: number): Buffer {
  if (sizeBytes > KEEP_BYTES) return Buffer.allocUnsafeSlow(sizeBytes);
  if (kept.length < sizeBytes) kept = Buffer.allocUnsafeSlow(Math.min(KEEP_BYTES, 2 * sizeBytes));
  return kept.subarray(0, sizeBytes);
}
