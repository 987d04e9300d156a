/**
 * Takes bytes in order on their way to a client; those of files by reference where the system can, so that they
 * are copied once less. The daemon hands an implementation down ({@link file://../fuse/spliced-replies.ts}).
 */
export interface BytePipe {
  /** @returns false when the pipe does not take them all. */
  bytes(bytes: Uint8Array): boolean;
  /**
   * Takes up to `sizeBytes` bytes of an open file.
   * @returns how many, 0 at the end of the file; undefined when the pipe does not take bytes of this file.
   * @throws the system's error when the file can't be read.
   */
  file(fd: number, offsetBytes: number, sizeBytes: number): number | undefined;
}

/** A range of a file that lies as it is in memory and in other files. */
export interface PourableBytes {
  readonly sizeBytes: number;
  /** From how many places the bytes come. */
  readonly pieces: number;
  /** @returns false when the pipe did not take everything. @throws a typed error that names the file. */
  pourInto(pipe: BytePipe): boolean;
}
