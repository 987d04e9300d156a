import { constants } from 'node:os';
import { ioctl, SystemCallError } from './syscalls.ts';

/** _IOW(229, 1, struct fuse_backing_map) and _IOW(229, 2, uint32_t). */
const BACKING_OPEN = 0x4010_e501;
const BACKING_CLOSE = 0x4004_e502;
const E = constants.errno;

/**
 * Files that the kernel reads and writes in the daemon's place (FUSE_PASSTHROUGH, Linux 6.9). A number it
 * hands out goes into an OPEN's reply as `backingId`, with FOPEN.PASSTHROUGH.
 *
 * One mode per node: while a node has a passthrough open, an ordinary open of it fails with EIO, and the
 * reverse; all passthrough opens of a node must name the same number. Numbers live as long as the connection,
 * so a daemon that takes it over leaves its predecessor's behind until unmount.
 */
export class BackingFiles {
  private readonly fuseFd: number;
  private usable: boolean;

  /** @param negotiated - `Negotiated.passthrough`: false makes every {@link open} return undefined. */
  constructor(fuseFd: number, negotiated: boolean) {
    this.fuseFd = fuseFd;
    this.usable = negotiated;
  }

  /** False once it is known that no file can be passed through (not negotiated, or no CAP_SYS_ADMIN). */
  get available(): boolean {
    return this.usable;
  }

  /**
   * Registers an open file; its descriptor may be closed afterwards.
   *
   * @returns The kernel's number for it, or undefined when this file, or any, can't be passed through (a file
   *   on overlayfs or another stacked file system gives ELOOP): serve it by reads then.
   * @throws SystemCallError when the descriptor is bad or the connection gone.
   */
  open(fd: number): number | undefined {
    if (!this.usable) return undefined;
    try {
      return ioctl(this.fuseFd, BACKING_OPEN, Int32Array.of(fd, 0, 0, 0));
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      const errno = Math.abs(error.errno);
      if (errno === E.EPERM || errno === E.ENOTTY || errno === E.ENOSYS) {
        this.usable = false;
        return undefined;
      }
      if (errno === E.ELOOP || errno === E.EOPNOTSUPP || errno === E.EINVAL) return undefined;
      throw error;
    }
  }

  /** Gives a number back. Files open by it go on. */
  close(backingId: number): void {
    try {
      ioctl(this.fuseFd, BACKING_CLOSE, Uint32Array.of(backingId));
    } catch (error) {
      if (!(error instanceof SystemCallError) || (error.code !== 'ENOENT' && error.code !== 'ENODEV'))
        throw error;
    }
  }
}
