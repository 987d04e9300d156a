import type { FileCalls } from '../core/file-calls.ts';
import { fallocate, isOpenForWriting, readCached, seek, setTimes } from '../fuse/syscalls.ts';

/** System calls on files, for the rooms below the wire. */
export const kernelFileCalls: FileCalls = {
  preadNoWait: (fd, target, offsetInTarget, sizeBytes, offsetBytes) =>
    sizeBytes === 0
      ? 0
      : readCached(fd, target.subarray(offsetInTarget, offsetInTarget + sizeBytes), offsetBytes),
  fallocate,
  isOpenForWriting,
  seek,
  setTimes,
};
