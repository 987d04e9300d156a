/**
 * System calls on open files that node:fs lacks. The daemon hands an implementation down, so that the rooms
 * below the wire need no foreign-function library.
 */
export interface FileCalls {
  /**
   * Reads what the page cache holds, without waiting for a disk.
   * @returns bytes read (0 at the end of the file), or undefined when the disk would have to be asked.
   */
  preadNoWait(
    fd: number,
    target: Uint8Array,
    offsetInTarget: number,
    sizeBytes: number,
    offsetBytes: number,
  ): number | undefined;
  /** fallocate(2). @throws a system error with errno. */
  fallocate(fd: number, mode: number, offsetBytes: number, sizeBytes: number): void;
  /** lseek(2) with SEEK_DATA (3) or SEEK_HOLE (4). @throws a system error with errno (ENXIO past the end). */
  seek(fd: number, offsetBytes: number, whence: number): number;
  /**
   * Whether anybody can write to a file: has it open for writing, or mapped. False where the kernel doesn't say.
   * @param fd - Open for reading; this process must have no other that is open for writing.
   */
  isOpenForWriting(fd: number): boolean;
  /** futimens(2). */
  setTimes(fd: number, atimeNs: bigint, mtimeNs: bigint): void;
}
