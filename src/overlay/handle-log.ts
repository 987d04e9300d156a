import { closeSync, existsSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

/** node f64, delta i8, mode u8, replaced u8, 1 byte spare, backing id u32, request u64 as two u32, CRC-32 of these. */
const RECORD_BYTES = 28;
const CHECKED_BYTES = 24;
const REWRITE_AFTER_RECORDS = 8192;

/** How a file was opened. The kernel wants one way of reading per inode at a time (cached or passed through). */
export type OpenMode = 'cached' | 'writing' | 'passed' | 'passed-writing';
const MODES: readonly OpenMode[] = ['cached', 'writing', 'passed', 'passed-writing'];

/** The kernel's number of a request, in two halves, without the bit that marks it as sent again. */
export interface RequestNumber {
  readonly low: number;
  readonly high: number;
}

export interface OpenCounts {
  cached: number;
  writing: number;
  passed: number;
  'passed-writing': number;
  /** The kernel's number of the backing file while anything is passed through. */
  backingId: number;
  /** The file's bytes lie in another file since: new handles must not be passed through to that one. */
  replaced: boolean;
}

/** The kernel numbers requests from 2. */
const NO_REQUEST: RequestNumber = { low: 0, high: 0 };

const empty = (): OpenCounts => ({
  cached: 0,
  writing: 0,
  passed: 0,
  'passed-writing': 0,
  backingId: 0,
  replaced: false,
});

/**
 * Which files programs have open, kept in a tmpfs file so that a daemon that takes over the connection of a dead
 * one knows what the kernel knows. Worthless, and begun anew, with a new connection.
 */
export class HandleLog {
  readonly #path: string;
  readonly #reserve: (fd: number, sizeBytes: number) => void;
  #rewriteAt = REWRITE_AFTER_RECORDS;
  readonly #counts = new Map<number, OpenCounts>();
  #fd: number;
  #records = 0;
  #lastRequest = '';
  readonly #record = Buffer.alloc(RECORD_BYTES);
  /** Records of the daemon before that can't be believed: what they opened or closed is not known. */
  damagedRecords = 0;

  /** @param reserve takes room for a file, so that files can be opened and closed when memory is full. */
  constructor(path: string, resumed: boolean, reserve: (fd: number, sizeBytes: number) => void = () => {}) {
    this.#path = path;
    this.#reserve = reserve;
    if (resumed && existsSync(path)) {
      const bytes = readFileSync(path);
      for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
        const crc = crc32(bytes.subarray(at, at + CHECKED_BYTES));
        if (crc !== bytes.readUInt32LE(at + CHECKED_BYTES)) {
          this.damagedRecords++;
          continue;
        }
        const mode = MODES[bytes.readUInt8(at + 9)];
        if (bytes.readUInt8(at + 10) === 1) this.#markReplaced(bytes.readDoubleLE(at));
        else if (mode)
          this.#apply(bytes.readDoubleLE(at), bytes.readInt8(at + 8), mode, bytes.readUInt32LE(at + 12));
        const low = bytes.readUInt32LE(at + 16);
        const high = bytes.readUInt32LE(at + 20);
        if (low !== 0 || high !== 0) this.#lastRequest = `${high}:${low}`;
      }
    }
    this.#fd = this.#rewrite();
  }

  countsOf(node: number): OpenCounts | undefined {
    return this.#counts.get(node);
  }

  isWriting(node: number): boolean {
    const counts = this.#counts.get(node);
    return counts !== undefined && counts.writing + counts['passed-writing'] > 0;
  }

  /** Every node that is open. */
  nodes(): Iterable<number> {
    return this.#counts.keys();
  }

  /** `request` is the kernel's number of the request; one that was noted before is not counted again. */
  opened(node: number, mode: OpenMode, backingId: number, request: RequestNumber): void {
    this.#note(node, 1, mode, backingId, request);
  }

  closed(node: number, mode: OpenMode, request: RequestNumber): void {
    this.#note(node, -1, mode, 0, request);
  }

  /** The bytes of a file that may be passed through lie in a new file. */
  replaced(node: number): void {
    if ((this.#counts.get(node)?.backingId ?? 0) === 0) return;
    this.#markReplaced(node);
    this.#fill(node, 0, 'passed', 0, NO_REQUEST, true);
    writeSync(this.#fd, this.#record);
  }

  #markReplaced(node: number): void {
    const counts = this.#counts.get(node);
    if (counts) counts.replaced = true;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #apply(node: number, delta: number, mode: OpenMode, backingId: number): void {
    const counts = this.#counts.get(node) ?? empty();
    counts[mode] = Math.max(0, counts[mode] + delta);
    if (delta > 0 && backingId !== 0) counts.backingId = backingId;
    if (counts.passed + counts['passed-writing'] === 0) {
      counts.backingId = 0;
      counts.replaced = false;
    }
    if (counts.cached + counts.writing + counts.passed + counts['passed-writing'] === 0)
      this.#counts.delete(node);
    else this.#counts.set(node, counts);
  }

  #fill(
    node: number,
    delta: number,
    mode: OpenMode,
    backingId: number,
    request: RequestNumber,
    replaced = false,
  ): void {
    this.#record.writeUInt8(replaced ? 1 : 0, 10);
    this.#record.writeDoubleLE(node, 0);
    this.#record.writeInt8(delta, 8);
    this.#record.writeUInt8(MODES.indexOf(mode), 9);
    this.#record.writeUInt32LE(backingId, 12);
    this.#record.writeUInt32LE(request.low, 16);
    this.#record.writeUInt32LE(request.high, 20);
    this.#record.writeUInt32LE(crc32(this.#record.subarray(0, CHECKED_BYTES)), CHECKED_BYTES);
  }

  #note(node: number, delta: number, mode: OpenMode, backingId: number, request: RequestNumber): void {
    const name = `${request.high}:${request.low}`;
    if (name === this.#lastRequest) return;
    this.#lastRequest = name;
    this.#apply(node, delta, mode, backingId);
    this.#fill(node, delta, mode, backingId, request);
    writeSync(this.#fd, this.#record);
    if (++this.#records > this.#rewriteAt) {
      closeSync(this.#fd);
      this.#fd = this.#rewrite();
    }
  }

  #rewrite(): number {
    const temporary = `${this.#path}.new`;
    const fd = openSync(temporary, 'w', 0o600);
    this.#records = 0;
    // The last request stays known through a rewrite.
    const [high = '0', low = '0'] = this.#lastRequest.split(':');
    this.#fill(0, 0, 'cached', 0, { low: Number(low || 0), high: Number(high || 0) });
    const last = Buffer.from(this.#record);
    for (const [node, counts] of this.#counts) {
      for (const mode of MODES) {
        for (let i = 0; i < counts[mode]; i++) {
          this.#fill(node, 1, mode, counts.backingId, NO_REQUEST);
          writeSync(fd, this.#record);
          this.#records++;
        }
      }
      if (!counts.replaced) continue;
      this.#fill(node, 0, 'passed', 0, NO_REQUEST, true);
      writeSync(fd, this.#record);
    }
    writeSync(fd, last);
    // Rewritten when it is mostly out of date, however much is open.
    this.#rewriteAt = this.#records * 2 + REWRITE_AFTER_RECORDS;
    this.#reserve(fd, (this.#rewriteAt + 2) * RECORD_BYTES);
    renameSync(temporary, this.#path);
    return fd;
  }
}
