import { Buffer } from 'node:buffer';
import { constants } from 'node:os';
import { passFaultPoint } from '../core/fault-points.ts';
import { DEFERRED, type Entry, type FileSystem } from '../vfs/file-system.ts';
import { DirectoryBuffer } from './directory-buffer.ts';
import {
  FSYNC_FDATASYNC,
  MAX_WRITE_BYTES,
  OP,
  OPEN_KILL_SUIDGID,
  SIZE,
  WRITE_KILL_SUIDGID,
} from './protocol.ts';
import {
  attributeNamesBody,
  encodeAttributesReply,
  encodeEntry,
  encodeInteger,
  encodeOpen,
  encodeStatFs,
  encodeWritten,
} from './reply.ts';
import type { ReplyWriter } from './reply-writer.ts';
import { decodeAttributeChange, type RequestBuffer } from './request.ts';

const E = constants.errno;
/** RENAME_NOREPLACE | RENAME_EXCHANGE; RENAME_WHITEOUT is overlayfs's own. */
const RENAME_FLAGS_KNOWN = 3;
const ROOM_FOR_NO_BYTES = 0;

/**
 * Turns one request into one call of the handler and its result into one reply. INIT is the session's.
 * Refusals and errors of the handler become error replies by `errnoOf`; `report` hears of those that mean
 * trouble (EIO), and of every error of a request that has no reply.
 */
export class Dispatcher {
  private readonly request: RequestBuffer;
  private readonly reply: ReplyWriter;
  private readonly handler: FileSystem;
  private readonly errnoOf: (error: unknown) => number;
  private readonly report: (error: unknown, opcode: number) => void;
  private readonly directory = new DirectoryBuffer(MAX_WRITE_BYTES);

  constructor(
    request: RequestBuffer,
    reply: ReplyWriter,
    handler: FileSystem,
    errnoOf: (error: unknown) => number,
    report: (error: unknown, opcode: number) => void,
  ) {
    this.request = request;
    this.reply = reply;
    this.handler = handler;
    this.errnoOf = errnoOf;
    this.report = report;
  }

  /** Handles the request that the buffer holds. Never throws what the handler throws. */
  dispatch(): void {
    const { opcode } = this.request;
    if (
      opcode === OP.FORGET ||
      opcode === OP.BATCH_FORGET ||
      opcode === OP.INTERRUPT ||
      opcode === OP.NOTIFY_REPLY
    ) {
      try {
        this.handleSilent(opcode);
      } catch (error) {
        this.report(error, opcode);
      }
      return;
    }
    try {
      this.request.readNode();
      this.handle(opcode);
    } catch (error) {
      const errno = this.errnoOf(error);
      // A file that is there and can't be shown: its error says why.
      const isUnshown = errno === E.EOPNOTSUPP && (opcode === OP.LOOKUP || opcode === OP.GETATTR);
      if (errno === E.EIO || isUnshown) this.report(error, opcode);
      this.fail(errno);
    }
  }

  /** Requests that the kernel wants no reply to. We ask for no NOTIFY_REPLY. */
  private handleSilent(opcode: number): void {
    const { request, handler } = this;
    if (opcode === OP.FORGET) {
      request.readNode();
      handler.forget(request.node, request.integer(0));
    } else if (opcode === OP.BATCH_FORGET) {
      const count = Math.min(
        request.u32(0),
        Math.floor((request.end - SIZE.IN_HEADER - 8) / SIZE.FORGET_ONE),
      );
      for (let index = 0; index < count; index++) {
        const at = 8 + index * SIZE.FORGET_ONE;
        handler.forget(request.integer(at), request.integer(at + 8));
      }
    } else if (opcode === OP.INTERRUPT) handler.interrupt(request.u32(0), request.u32(4));
  }

  private fail(errno: number): void {
    const { uniqueLow, uniqueHigh } = this.request.context;
    this.reply.error(uniqueLow, uniqueHigh, errno);
  }

  /** Sends the body of `bodyBytes` that stands encoded in the reply's buffer. */
  private send(bodyBytes: number): void {
    passFaultPoint('session.before-reply');
    const { uniqueLow, uniqueHigh } = this.request.context;
    this.reply.body(uniqueLow, uniqueHigh, bodyBytes);
  }

  private sendEntry(entry: Entry | typeof DEFERRED): true {
    if (entry !== DEFERRED) this.send(encodeEntry(this.reply.view, this.reply.bodyAt, entry));
    return true;
  }

  private sendData(data: Uint8Array): void {
    const { uniqueLow, uniqueHigh } = this.request.context;
    this.reply.data(uniqueLow, uniqueHigh, data);
  }

  /** The size protocol of getxattr(2) and listxattr(2): room 0 asks for the size. */
  private sendAttributeValue(value: Uint8Array, roomBytes: number): void {
    if (roomBytes === ROOM_FOR_NO_BYTES)
      this.send(encodeWritten(this.reply.view, this.reply.bodyAt, value.byteLength));
    else if (value.byteLength > roomBytes) this.fail(E.ERANGE);
    else this.sendData(value);
  }

  private handle(opcode: number): void {
    const { request, handler } = this;
    const { context, node } = request;
    const { view, bodyAt } = this.reply;
    switch (opcode) {
      case OP.LOOKUP: {
        this.sendEntry(handler.lookup(context, node, request.name(0)));
        return;
      }
      case OP.GETATTR: {
        const reply = handler.getattr(context, node);
        if (reply !== DEFERRED) this.send(encodeAttributesReply(view, bodyAt, reply));
        return;
      }
      case OP.READ: {
        const sizeBytes = request.u32(16);
        const data = handler.read(context, node, request.handle(0), request.cappedInteger(8), sizeBytes);
        if (data === DEFERRED) return;
        if (data.byteLength > sizeBytes)
          throw new Error(`a READ of ${sizeBytes} bytes was answered with ${data.byteLength}`);
        this.sendData(data);
        return;
      }
      case OP.WRITE: {
        const data = request.payload(SIZE.WRITE_IN, request.u32(16));
        context.dropsSetId = (request.u32(20) & WRITE_KILL_SUIDGID) !== 0;
        const written = handler.write(context, node, request.handle(0), request.cappedInteger(8), data);
        if (written !== DEFERRED) this.send(encodeWritten(view, bodyAt, written));
        return;
      }
      case OP.OPEN: {
        context.dropsSetId = (request.u32(4) & OPEN_KILL_SUIDGID) !== 0;
        const open = handler.open(context, node, request.u32(0));
        if (open !== DEFERRED) this.send(encodeOpen(view, bodyAt, open));
        return;
      }
      case OP.RELEASE:
        handler.release(context, node, request.handle(0), request.u32(8));
        this.send(0);
        return;
      case OP.FLUSH:
        if (handler.flush(context, node, request.handle(0)) !== DEFERRED) this.send(0);
        return;
      case OP.FSYNC: {
        const dataOnly = (request.u32(8) & FSYNC_FDATASYNC) !== 0;
        if (handler.fsync(context, node, request.handle(0), dataOnly) !== DEFERRED) this.send(0);
        return;
      }
      case OP.OPENDIR:
        this.send(encodeOpen(view, bodyAt, handler.opendir(context, node)));
        return;
      case OP.READDIR:
      case OP.READDIRPLUS: {
        const { directory } = this;
        directory.begin(opcode === OP.READDIRPLUS, request.u32(16));
        const listed = handler.readdir(context, node, request.handle(0), request.integer(8), directory);
        if (listed !== DEFERRED) this.sendData(directory.body());
        return;
      }
      case OP.RELEASEDIR:
        handler.releasedir(context, node, request.handle(0));
        this.send(0);
        return;
      case OP.FSYNCDIR:
        if (handler.fsyncdir(context, node) !== DEFERRED) this.send(0);
        return;
      case OP.READLINK:
        this.sendData(Buffer.from(handler.readlink(context, node), 'utf8'));
        return;
      case OP.STATFS:
        this.send(encodeStatFs(view, bodyAt, handler.statfs(context)));
        return;
      case OP.ACCESS:
        handler.access(context, node, request.u32(0));
        this.send(0);
        return;
      default:
        if (!this.handleChange(opcode) && !this.handleAttribute(opcode))
          this.fail(opcode === OP.IOCTL ? E.ENOTTY : E.ENOSYS);
    }
  }

  /** Requests that change the namespace or a file's extent. */
  private handleChange(opcode: number): boolean {
    const { request, handler } = this;
    const { context, node } = request;
    const { view, bodyAt } = this.reply;
    switch (opcode) {
      case OP.SETATTR: {
        const reply = handler.setattr(context, node, decodeAttributeChange(request));
        if (reply !== DEFERRED) this.send(encodeAttributesReply(view, bodyAt, reply));
        return true;
      }
      case OP.CREATE:
      case OP.TMPFILE: {
        const [flags, mode] = [request.u32(0), request.u32(4)];
        const created =
          opcode === OP.TMPFILE
            ? handler.tmpfile(context, node, mode, flags)
            : handler.create(context, node, request.name(16), mode, flags);
        const entryBytes = encodeEntry(view, bodyAt, created.entry);
        this.send(entryBytes + encodeOpen(view, bodyAt + entryBytes, created.open));
        return true;
      }
      case OP.MKNOD:
        return this.sendEntry(handler.mknod(context, node, request.name(16), request.u32(0), request.u32(4)));
      case OP.MKDIR:
        return this.sendEntry(handler.mkdir(context, node, request.name(8), request.u32(0)));
      case OP.SYMLINK:
        return this.sendEntry(handler.symlink(context, node, request.name(0), request.nameAfter(0)));
      case OP.LINK:
        return this.sendEntry(handler.link(context, request.integer(0), node, request.name(8)));
      case OP.UNLINK:
        handler.unlink(context, node, request.name(0));
        this.send(0);
        return true;
      case OP.RMDIR:
        handler.rmdir(context, node, request.name(0));
        this.send(0);
        return true;
      case OP.RENAME:
        handler.rename(context, node, request.name(8), request.integer(0), request.nameAfter(8), 0);
        this.send(0);
        return true;
      case OP.RENAME2: {
        const flags = request.u32(8);
        if ((flags & ~RENAME_FLAGS_KNOWN) !== 0 || flags === RENAME_FLAGS_KNOWN) this.fail(E.EINVAL);
        else {
          handler.rename(context, node, request.name(16), request.integer(0), request.nameAfter(16), flags);
          this.send(0);
        }
        return true;
      }
      case OP.FALLOCATE:
        context.dropsSetId = context.uid !== 0;
        if (
          handler.fallocate(
            context,
            node,
            request.u32(24),
            request.cappedInteger(8),
            request.cappedInteger(16),
          ) !== DEFERRED
        )
          this.send(0);
        return true;
      case OP.LSEEK:
        this.send(
          encodeInteger(
            view,
            bodyAt,
            handler.lseek(context, node, request.cappedInteger(8), request.u32(16)),
          ),
        );
        return true;
      case OP.COPY_FILE_RANGE:
      case OP.COPY_FILE_RANGE_64: {
        // The kernel says of WRITE, OPEN and SETATTR who may keep set-id bits; not of this and FALLOCATE.
        context.dropsSetId = context.uid !== 0;
        const copied = handler.copyFileRange(
          context,
          { node, offsetBytes: request.cappedInteger(8) },
          { node: request.integer(16), offsetBytes: request.cappedInteger(32) },
          request.cappedInteger(40),
        );
        if (copied === DEFERRED) return true;
        const encode = opcode === OP.COPY_FILE_RANGE ? encodeWritten : encodeInteger;
        this.send(encode(view, bodyAt, copied));
        return true;
      }
      case OP.DESTROY:
        this.send(0);
        return true;
      default:
        return false;
    }
  }

  private handleAttribute(opcode: number): boolean {
    const { request, handler } = this;
    const { context, node } = request;
    switch (opcode) {
      case OP.GETXATTR:
        this.sendAttributeValue(handler.getxattr(context, node, request.name(8)), request.u32(0));
        return true;
      case OP.LISTXATTR:
        this.sendAttributeValue(attributeNamesBody(handler.listxattr(context, node)), request.u32(0));
        return true;
      case OP.SETXATTR: {
        const value = request.payload(request.offsetAfterName(8), request.u32(0));
        if (handler.setxattr(context, node, request.name(8), value, request.u32(4)) !== DEFERRED)
          this.send(0);
        return true;
      }
      case OP.REMOVEXATTR:
        if (handler.removexattr(context, node, request.name(0)) !== DEFERRED) this.send(0);
        return true;
      default:
        return false;
    }
  }
}
