let decodedBytes = 0;

/**
 * Says that this thread decoded so many bytes of pixels. Called where a strip, tile or chunk comes out of its
 * codec, so that what was decoded in vain, or twice, counts too.
 */
export function countDecoded(sizeBytes: number): void {
  decodedBytes += sizeBytes;
}

/** Bytes of pixels that this thread has decoded since it started. */
export function decodedBytesSoFar(): number {
  return decodedBytes;
}
