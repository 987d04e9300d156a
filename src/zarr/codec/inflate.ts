import { constants, createGunzip, createInflate, deflateSync, gzipSync } from 'node:zlib';

/** What streams of node:zlib are made of, which is all that writes to memory of the caller's. */
interface Engine {
  readonly handle: {
    reset(): void;
    writeSync(
      flush: number,
      input: Uint8Array,
      inputAt: number,
      inputBytes: number,
      output: Uint8Array,
      outputAt: number,
      outputBytes: number,
    ): void;
  };
  /** After a write: bytes of the output and of the input that are left. */
  readonly state: Uint32Array;
  /** A stream that met damage is closed at once, and its handle must not be used again. */
  readonly isOpen: () => boolean;
}

/** Larger memory is not kept. */
const KEEP_BYTES = 16 * 1024 * 1024;

const engines = new Map<'zlib' | 'gzip', Engine | undefined>();
let kept = Buffer.alloc(0);

/** Undefined in a Node whose streams are made otherwise. */
function makeEngine(format: 'zlib' | 'gzip'): Engine | undefined {
  const stream = format === 'zlib' ? createInflate() : createGunzip();
  const { _handle: handle, _writeState: state } = stream as {
    readonly _handle?: Partial<Engine['handle']> | null;
    readonly _writeState?: unknown;
  };
  if (typeof handle?.reset !== 'function' || typeof handle.writeSync !== 'function') return undefined;
  if (!(state instanceof Uint32Array) || state.length < 2) return undefined;
  // Told later, of damage that was seen by then.
  stream.on('error', () => {});
  const engine = { handle: handle as Engine['handle'], state, isOpen: () => !stream.destroyed };
  return isRight(engine, format) ? engine : undefined;
}

/** Whether a small stream comes out as it went in: these calls are promised by nobody. */
function isRight({ handle, state, isOpen }: Engine, format: 'zlib' | 'gzip'): boolean {
  const content = Buffer.from('as it went in, as it went in');
  const stream = format === 'zlib' ? deflateSync(content) : gzipSync(content);
  const output = Buffer.alloc(content.length + 1);
  try {
    handle.reset();
    handle.writeSync(constants.Z_FINISH, stream, 0, stream.length, output, 0, output.length);
  } catch {
    return false;
  }
  return isOpen() && state[0] === 1 && content.equals(output.subarray(0, content.length));
}

/**
 * Decodes a whole zlib or gzip stream (RFC 1950, 1952) of exactly `sizeBytes`, without memory for each: that would have
 * the collector run every few chunks. The result is good until the next call in this thread, and may be changed.
 * @returns undefined when the stream is damaged or of another size, or can't be decoded this way; whoever wants to know
 *   why has node:zlib decode it.
 */
export function inflate(format: 'zlib' | 'gzip', stream: Uint8Array, sizeBytes: number): Buffer | undefined {
  if (sizeBytes < 1 || sizeBytes > KEEP_BYTES || stream.length === 0) return undefined;
  // What this function gave back a moment ago.
  if (stream.buffer === kept.buffer) return undefined;
  if (!engines.has(format)) engines.set(format, makeEngine(format));
  const engine = engines.get(format);
  if (!engine) return undefined;
  // One byte more, so that a stream that goes on is told from one that ends.
  const roomBytes = sizeBytes + 1;
  if (kept.length < roomBytes) kept = Buffer.allocUnsafeSlow(roomBytes);
  engine.handle.reset();
  engine.handle.writeSync(constants.Z_FINISH, stream, 0, stream.length, kept, 0, roomBytes);
  if (!engine.isOpen()) {
    engines.delete(format);
    return undefined;
  }
  return engine.state[0] === 1 ? kept.subarray(0, sizeBytes) : undefined;
}
