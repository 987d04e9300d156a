import { constants as fs } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { FuseUnavailableError } from '../core/errors.ts';

/**
 * The system calls that Node lacks, by koffi on the C library that is already in the process. koffi is loaded
 * at the first call; every function here throws FuseUnavailableError when it will not load, and
 * {@link SystemCallError} when the kernel refuses, unless its description says otherwise.
 *
 * Constants: Linux uapi (asm-generic) and glibc's <sys/mount.h>, <fcntl.h>, <sys/uio.h>.
 */
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;
const LOCK_EX = 2;
const LOCK_NB = 4;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0x80001;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SO_PEERCRED = 17;
const RWF_NOWAIT = 8;
const O_CLOEXEC = 0o2000000;
const F_SETLEASE = 1024;
const F_RDLCK = 0;
const F_UNLCK = 2;
const F_SETPIPE_SZ = 1031;
const F_GETPIPE_SZ = 1032;
const SPLICE_F_NONBLOCK = 2;
const AT_FDCWD = -100;
/** The same on every architecture: <asm-generic/unistd.h>. Not every C library has functions for them. */
const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const SYS_FSMOUNT = 432;
/** <linux/mount.h>. */
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;
const MOUNT_ATTR_NOSUID = 2;
const MOUNT_ATTR_NODEV = 4;
const MOUNT_ATTR_NOEXEC = 8;
const NS_PER_S = 1_000_000_000n;
const E = constants.errno;

/** A system call failed: `errno` and `code` as Node's own system errors have them. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  readonly errno: number;
  readonly code: string;
  readonly syscall: string;
  constructor(syscall: string, errno: number) {
    const code = getSystemErrorName(-errno);
    super(`${code}: ${syscall}`);
    this.errno = -errno;
    this.code = code;
    this.syscall = syscall;
  }
}

type Pointer = ArrayBufferView | null;
interface Calls {
  errno(): number;
  address(memory: ArrayBufferView): bigint;
  mount(source: string, target: string, type: string, flags: number, data: string): number;
  umount2(target: string, flags: number): number;
  ioctl(fd: number, request: number, argument: Pointer): number;
  socketpair(domain: number, type: number, protocol: number, pair: Int32Array): number;
  recvmsg(fd: number, message: Pointer, flags: number): number;
  getsockopt(fd: number, level: number, option: number, value: Pointer, size: Pointer): number;
  preadv2(fd: number, vector: Pointer, count: number, offset: number, flags: number): number;
  pipe2(ends: Int32Array, flags: number): number;
  fcntl(fd: number, command: number, type: 'int', argument: number): number;
  splice(from: number, fromAt: Pointer, to: number, toAt: Pointer, length: number, flags: number): number;
  flock(fd: number, operation: number): number;
  fallocate(fd: number, mode: number, offset: number, length: number): number;
  lseek(fd: number, offset: number, whence: number): number;
  copyFileRange(
    from: number,
    fromAt: Pointer,
    to: number,
    toAt: Pointer,
    length: number,
    flags: number,
  ): number;
  renameat2(fromDir: number, from: string, toDir: number, to: string, flags: number): number;
  fsopen(call: number, type: string, flags: number): number;
  fsconfig(
    call: number,
    context: number,
    command: number,
    key: string | null,
    value: string | null,
    extra: number,
  ): number;
  fsmount(call: number, context: number, flags: number, attributes: number): number;
  futimens(fd: number, times: Pointer): number;
  fsetxattr(fd: number, name: string, value: Pointer, sizeBytes: number, flags: number): number;
  getpagesize(): number;
  gettid(): number;
  tgkill(processId: number, threadId: number, signal: number): number;
  sigaction(signal: number, action: Pointer, old: Pointer): number;
  /** Address of a function of the C library. */
  addressOf(symbol: string): bigint;
}

let calls: Calls | undefined;

function load(): Calls {
  if (calls !== undefined) return calls;
  let koffi: typeof import('koffi');
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  } catch (cause) {
    throw new FuseUnavailableError('the native call package koffi does not load', {
      cause,
      advice: `run npm ci on this machine (${process.platform}-${process.arch})`,
    });
  }
  const libc = koffi.load(null);
  const bound: Calls = {
    errno: () => koffi.errno(),
    address: (memory) => koffi.address(memory),
    mount: libc.func('int mount(const char *, const char *, const char *, ulong, const char *)'),
    umount2: libc.func('int umount2(const char *, int)'),
    ioctl: libc.func('int ioctl(int, ulong, void *)'),
    socketpair: libc.func('int socketpair(int, int, int, void *)'),
    recvmsg: libc.func('int64_t recvmsg(int, void *, int)'),
    getsockopt: libc.func('int getsockopt(int, int, int, void *, void *)'),
    preadv2: libc.func('int64_t preadv2(int, void *, int, int64_t, int)'),
    pipe2: libc.func('int pipe2(void *, int)'),
    fcntl: libc.func('int fcntl(int, int, ...)'),
    splice: libc.func('int64_t splice(int, void *, int, void *, uint64_t, uint)'),
    flock: libc.func('int flock(int, int)'),
    fallocate: libc.func('int fallocate(int, int, int64_t, int64_t)'),
    lseek: libc.func('int64_t lseek(int, int64_t, int)'),
    copyFileRange: libc.func('int64_t copy_file_range(int, void *, int, void *, uint64_t, uint)'),
    renameat2: libc.func('int renameat2(int, const char *, int, const char *, uint)'),
    fsopen: libc.func('syscall', 'int64_t', ['int64_t', 'str', 'uint']),
    fsconfig: libc.func('syscall', 'int64_t', ['int64_t', 'int', 'uint', 'str', 'str', 'int']),
    fsmount: libc.func('syscall', 'int64_t', ['int64_t', 'int', 'uint', 'uint']),
    futimens: libc.func('int futimens(int, void *)'),
    fsetxattr: libc.func('int fsetxattr(int, const char *, void *, size_t, int)'),
    getpagesize: libc.func('int getpagesize()'),
    gettid: libc.func('int gettid()'),
    tgkill: libc.func('int tgkill(int, int, int)'),
    sigaction: libc.func('int sigaction(int, void *, void *)'),
    addressOf: (symbol) => koffi.address(libc.symbol(symbol, 'void')),
  };
  calls = bound;
  return bound;
}

/** Why koffi can't be used, or undefined when it can. */
export function syscallsProblem(): FuseUnavailableError | undefined {
  try {
    load();
    return undefined;
  } catch (error) {
    if (error instanceof FuseUnavailableError) return error;
    throw error;
  }
}

function checked(name: string, result: number): number {
  if (result < 0) throw new SystemCallError(name, load().errno());
  return result;
}

export function mount(source: string, target: string, type: string, flags: number, data: string): void {
  checked('mount', load().mount(source, target, type, flags, data));
}

export function umount2(target: string, flags: number): void {
  checked('umount2', load().umount2(target, flags));
}

/** @returns ioctl(2)'s result, 0 or more. `argument` is read and may be written. */
export function ioctl(fd: number, request: number, argument: ArrayBufferView): number {
  return checked('ioctl', load().ioctl(fd, request, argument));
}

/** Two connected stream sockets, closed on exec. */
export function socketPair(): [number, number] {
  const pair = new Int32Array(2);
  checked('socketpair', load().socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, pair));
  return [pair[0] ?? -1, pair[1] ?? -1];
}

/** The user who connected a Unix socket: SO_PEERCRED, struct ucred is pid, uid, gid. */
export function peerUserId(socket: number): number {
  const credentials = new Uint32Array(3);
  const size = Uint32Array.of(credentials.byteLength);
  checked('getsockopt', load().getsockopt(socket, SOL_SOCKET, SO_PEERCRED, credentials, size));
  const [, userId] = credentials;
  if (userId === undefined || size[0] !== credentials.byteLength)
    throw new SystemCallError('getsockopt', E.EIO);
  return userId;
}

/**
 * Receives one descriptor (SCM_RIGHTS), closed on exec. Undefined when the other end closed without sending
 * one. Layouts of struct msghdr (56 bytes), iovec (16) and cmsghdr (16 + data) are those of 64-bit Linux.
 */
export function receiveDescriptor(socket: number): number | undefined {
  const c = load();
  const byte = new Uint8Array(new ArrayBuffer(8));
  const control = new DataView(new ArrayBuffer(24));
  const vector = new BigUint64Array(new ArrayBuffer(16));
  vector[0] = c.address(byte);
  vector[1] = 1n;
  const message = new BigUint64Array(new ArrayBuffer(56));
  message[2] = c.address(vector);
  message[3] = 1n;
  message[4] = c.address(control);
  message[5] = 24n;
  const received = checked('recvmsg', c.recvmsg(socket, message, MSG_CMSG_CLOEXEC));
  const carriesRights =
    (message[5] ?? 0n) >= 20n &&
    control.getInt32(8, true) === SOL_SOCKET &&
    control.getInt32(12, true) === SCM_RIGHTS;
  return received > 0 && carriesRights ? control.getInt32(16, true) : undefined;
}

const addresses = new WeakMap<ArrayBufferLike, bigint>();
const vector = new BigUint64Array(new ArrayBuffer(16));

/**
 * Reads from the page cache only: preadv2(2) with RWF_NOWAIT. tmpfs can't tell (always undefined): read that as
 * usual. Costs about what `readSync` does.
 *
 * @param into - Memory of 1 byte or more; its ArrayBuffer must not be resized or transferred later on.
 * @returns Bytes read, fewer than asked when only the beginning is cached or the file ends; 0 at the file's
 *   end; undefined when it would have to wait for a disk (or the file system can't tell).
 */
export function readCached(fd: number, into: Uint8Array, offsetBytes: number): number | undefined {
  const c = load();
  let base = addresses.get(into.buffer);
  if (base === undefined) {
    base = c.address(new Uint8Array(into.buffer));
    addresses.set(into.buffer, base);
  }
  vector[0] = base + BigInt(into.byteOffset);
  vector[1] = BigInt(into.byteLength);
  const read = c.preadv2(fd, vector, 1, offsetBytes, RWF_NOWAIT);
  if (read >= 0) return read;
  const errno = c.errno();
  if (errno === E.EAGAIN || errno === E.EOPNOTSUPP || errno === E.ENOSYS || errno === E.EINTR)
    return undefined;
  throw new SystemCallError('preadv2', errno);
}

/** A pipe that nobody waits for; closed on exec. */
export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
  /** How many pages of memory it holds at most, wholly used or not. */
  readonly pages: number;
  readonly pageBytes: number;
}

/** A pipe of `sizeBytes`, or of what the system allows where that is less. */
export function openPipe(sizeBytes: number): Pipe {
  const c = load();
  const ends = new Int32Array(2);
  checked('pipe2', c.pipe2(ends, O_CLOEXEC | fs.O_NONBLOCK));
  const [readFd = -1, writeFd = -1] = ends;
  // EPERM: above /proc/sys/fs/pipe-max-size, or this user has many pipes. The pipe keeps its size.
  c.fcntl(writeFd, F_SETPIPE_SZ, 'int', sizeBytes);
  const pageBytes = c.getpagesize();
  return { readFd, writeFd, pages: c.fcntl(writeFd, F_GETPIPE_SZ, 'int', 0) / pageBytes, pageBytes };
}

const spliceAt = new BigInt64Array(1);

/** Moves bytes of a file into a pipe without copying: splice(2). @returns bytes moved, 0 at the file's end. */
export function spliceFromFile(fd: number, offsetBytes: number, pipe: Pipe, sizeBytes: number): number {
  spliceAt[0] = BigInt(offsetBytes);
  return checked('splice', load().splice(fd, spliceAt, pipe.writeFd, null, sizeBytes, SPLICE_F_NONBLOCK));
}

/** Moves bytes out of a pipe into a device. @returns bytes moved. */
export function spliceFromPipe(pipe: Pipe, fd: number, sizeBytes: number): number {
  return checked('splice', load().splice(pipe.readFd, null, fd, null, sizeBytes, 0));
}

/** Takes an exclusive flock(2) without waiting. @returns false when another process holds one. */
export function lockExclusively(fd: number): boolean {
  const c = load();
  if (c.flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const errno = c.errno();
  if (errno === E.EWOULDBLOCK) return false;
  throw new SystemCallError('flock', errno);
}

/**
 * Whether a file is open for writing or mapped for it, by whoever: then the kernel grants no lease for reading (fcntl(2)).
 * False where it grants none at all.
 */
export function isOpenForWriting(fd: number): boolean {
  const c = load();
  if (c.fcntl(fd, F_SETLEASE, 'int', F_RDLCK) !== 0) return c.errno() === E.EAGAIN;
  checked('fcntl', c.fcntl(fd, F_SETLEASE, 'int', F_UNLCK));
  return false;
}

/** fallocate(2); `mode` as there (0, FALLOC_FL_KEEP_SIZE 1, FALLOC_FL_PUNCH_HOLE 2 …). */
export function fallocate(fd: number, mode: number, offsetBytes: number, sizeBytes: number): void {
  checked('fallocate', load().fallocate(fd, mode, offsetBytes, sizeBytes));
}

/** lseek(2) with SEEK_DATA or SEEK_HOLE. @returns the offset; ENXIO past the end. */
export function seek(fd: number, offsetBytes: number, whence: number): number {
  return checked('lseek', load().lseek(fd, offsetBytes, whence));
}

/** futimens(2), exact to the nanosecond. */
export function setTimes(fd: number, atimeNs: bigint, mtimeNs: bigint): void {
  const times = new BigInt64Array(4);
  for (const [i, ns] of [atimeNs, mtimeNs].entries()) {
    const subsecondNs = ((ns % NS_PER_S) + NS_PER_S) % NS_PER_S;
    times[2 * i] = (ns - subsecondNs) / NS_PER_S;
    times[2 * i + 1] = subsecondNs;
  }
  checked('futimens', load().futimens(fd, times));
}

/** fsetxattr(2): makes or replaces an extended attribute. */
export function setXattr(fd: number, name: string, value: Uint8Array): void {
  checked('fsetxattr', load().fsetxattr(fd, name, value, value.byteLength, 0));
}

/** copy_file_range(2) between absolute offsets. @returns bytes copied, possibly fewer. */
export function copyFileRange(
  from: number,
  fromOffsetBytes: number,
  to: number,
  toOffsetBytes: number,
  sizeBytes: number,
): number {
  const fromAt = BigInt64Array.of(BigInt(fromOffsetBytes));
  const toAt = BigInt64Array.of(BigInt(toOffsetBytes));
  return checked('copy_file_range', load().copyFileRange(from, fromAt, to, toAt, sizeBytes, 0));
}

/** renameat2(2); `flags`: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2. */
export function renameWithFlags(from: string, to: string, flags: number): void {
  checked('renameat2', load().renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
}

/** fsopen(2): a file system that is to be configured, closed on exec. Linux 5.2. */
export function openFileSystem(type: string): number {
  return checked('fsopen', load().fsopen(SYS_FSOPEN, type, FSOPEN_CLOEXEC));
}

/** fsconfig(2): sets a parameter of it. */
export function configureFileSystem(context: number, key: string, value: string): void {
  checked('fsconfig', load().fsconfig(SYS_FSCONFIG, context, FSCONFIG_SET_STRING, key, value, 0));
}

/** fsconfig(2): makes it as it is configured. */
export function createFileSystem(context: number): void {
  checked('fsconfig', load().fsconfig(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, null, null, 0));
}

/** fsmount(2): mounts it nowhere; the descriptor is its root, closed on exec. No programs, devices or set-id bits. */
export function mountDetached(context: number): number {
  const attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  return checked('fsmount', load().fsmount(SYS_FSMOUNT, context, FSMOUNT_CLOEXEC, attributes));
}

/**
 * Lets SIGURG end a blocking system call with EINTR and do nothing else. SIGURG because its default is to be
 * ignored and nothing here uses it; without SA_RESTART; the handler is abs(3), which takes an int, touches
 * nothing and may run at any time. struct sigaction of 64-bit glibc and musl: handler, 128 bytes of mask,
 * flags, restorer (theirs to fill).
 */
export function allowInterruption(): void {
  const c = load();
  const action = new BigUint64Array(new ArrayBuffer(152));
  action[0] = c.addressOf('abs');
  checked('sigaction', c.sigaction(constants.signals.SIGURG, action, null));
}

/** The kernel's number of the calling thread. */
export function currentThread(): number {
  return load().gettid();
}

/** Ends a system call in which the thread blocks. @returns false when there is no such thread. */
export function interruptThread(thread: number): boolean {
  const c = load();
  if (c.tgkill(process.pid, thread, constants.signals.SIGURG) === 0) return true;
  const errno = c.errno();
  if (errno === E.ESRCH) return false;
  throw new SystemCallError('tgkill', errno);
}
