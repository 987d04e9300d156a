import { readSync } from 'node:fs';
import { BadMetadataError } from '../../core/errors.ts';

const CHUNK_BYTES = 256 * 1024;
/** Longest text that is handed out; longer ones can only be passed over. */
const MAX_TEXT_BYTES = 64 * 1024;
/** Longest number or word. */
const MAX_WORD_BYTES = 512;
/** Objects and arrays inside one another. */
const MAX_DEPTH = 128;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** RFC 8259 has none of these; Python's json module writes and reads them. */
const PYTHON_NUMBERS: ReadonlySet<string> = new Set(['NaN', 'Infinity', '-Infinity']);

export type JsonKind = 'object' | 'array' | 'text' | 'word';

/**
 * Reads a JSON file (RFC 8259) of any size in one pass, in memory that does not grow with it: the caller walks down
 * into what he wants, and what he leaves alone is passed over. Every method throws BadMetadataError, which names the
 * file and the byte, when the text is no JSON, is nested absurdly deep or ends early.
 */
export class JsonReader {
  readonly #fd: number;
  readonly #path: string;
  readonly #window = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #at = 0;
  #end = 0;
  /** Where in the file the window ends. */
  #read = 0;
  #depth = 0;
  /** Set between a key and the reading of its value. */
  #isWaiting = false;

  /** Reads from the beginning of the file open as `fd`, which stays open; `path` is for messages. */
  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
    if (this.#peek() === 0xef && this.#end - this.#at >= 3) this.#at += 3;
  }

  #fault(detail: string): never {
    throw new BadMetadataError(this.#path, `no JSON that can be read: ${detail}`, {
      advice: 'restore the file from a backup, or move it away',
    });
  }

  #where(): string {
    return `at byte ${this.#read - this.#end + this.#at}`;
  }

  /** The next byte, -1 at the end. */
  #peek(): number {
    if (this.#at < this.#end) return this.#window[this.#at] ?? -1;
    this.#end = readSync(this.#fd, this.#window, 0, CHUNK_BYTES, this.#read);
    this.#read += this.#end;
    this.#at = 0;
    return this.#end === 0 ? -1 : (this.#window[0] ?? -1);
  }

  /** The next byte that is no white space, -1 at the end. */
  #next(): number {
    for (;;) {
      const byte = this.#peek();
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.#at += 1;
    }
  }

  /** What stands next, without reading it. */
  kind(): JsonKind {
    const byte = this.#next();
    if (byte === OPEN_OBJECT) return 'object';
    if (byte === OPEN_ARRAY) return 'array';
    if (byte === QUOTE) return 'text';
    if (byte === -1) return this.#fault('it ends early');
    return 'word';
  }

  /** The keys of the object that stands next, each before its value, which is then to be read or left alone. */
  *keys(): Generator<string, void> {
    if (this.kind() !== 'object') this.#fault(`an object was expected ${this.#where()}`);
    for (const _ of this.#entries(CLOSE_OBJECT)) {
      if (this.#next() !== QUOTE) this.#fault(`a name was expected ${this.#where()}`);
      const key = this.#text();
      if (this.#next() !== COLON) this.#fault(`a colon was expected ${this.#where()}`);
      this.#at += 1;
      this.#isWaiting = true;
      yield key;
      if (this.#isWaiting) this.skip();
    }
  }

  /** The places of the array that stands next, from 0, each before its item. */
  *items(): Generator<number, void> {
    if (this.kind() !== 'array') this.#fault(`a list was expected ${this.#where()}`);
    let place = 0;
    for (const _ of this.#entries(CLOSE_ARRAY)) {
      this.#isWaiting = true;
      yield place;
      if (this.#isWaiting) this.skip();
      place += 1;
    }
  }

  /** Stops before each entry of an object or array, and reads the brackets and commas around them. */
  *#entries(close: number): Generator<void, void> {
    this.#isWaiting = false;
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.#fault(`it is nested more than ${MAX_DEPTH} deep`);
    this.#at += 1;
    if (this.#next() === close) this.#at += 1;
    else
      for (let more = true; more; ) {
        yield;
        const byte = this.#next();
        if (byte === -1) this.#fault('it ends early');
        if (byte !== COMMA && byte !== close) this.#fault(`a comma was expected ${this.#where()}`);
        this.#at += 1;
        more = byte === COMMA;
      }
    this.#depth -= 1;
  }

  /** The text that stands next, at most 64 KiB; undefined when it is something else, which is passed over. */
  text(): string | undefined {
    if (this.kind() !== 'text') {
      this.skip();
      return undefined;
    }
    this.#isWaiting = false;
    return this.#text();
  }

  /** The number that stands next; undefined when it is something else, which is passed over. */
  number(): number | undefined {
    const word = this.#wordOrSkip();
    return word !== undefined && NUMBER.test(word) ? Number(word) : undefined;
  }

  /** Whether `true` stands next; what stands there is passed over. */
  isTrue(): boolean {
    return this.#wordOrSkip() === 'true';
  }

  /** Passes over what stands next. */
  skip(): void {
    const kind = this.kind();
    if (kind === 'object') for (const _ of this.keys());
    else if (kind === 'array') for (const _ of this.items());
    else {
      this.#isWaiting = false;
      if (kind === 'text') this.#scanText(Number.POSITIVE_INFINITY);
      else this.#word();
    }
  }

  /** Checks that nothing follows. */
  finish(): void {
    if (this.#next() !== -1) this.#fault(`something follows its end ${this.#where()}`);
  }

  #wordOrSkip(): string | undefined {
    if (this.kind() !== 'word') {
      this.skip();
      return undefined;
    }
    this.#isWaiting = false;
    return this.#word();
  }

  #word(): string {
    let word = '';
    for (let byte = this.#peek(); byte !== -1; byte = this.#peek()) {
      const isPart =
        (byte >= 0x30 && byte <= 0x39) ||
        (byte >= 0x41 && byte <= 0x5a) ||
        (byte >= 0x61 && byte <= 0x7a) ||
        byte === 0x2b ||
        byte === 0x2d ||
        byte === 0x2e;
      if (!isPart || word.length > MAX_WORD_BYTES) break;
      word += String.fromCharCode(byte);
      this.#at += 1;
    }
    const isKnown = word === 'true' || word === 'false' || word === 'null';
    if (!isKnown && !NUMBER.test(word) && !PYTHON_NUMBERS.has(word))
      this.#fault(
        `${word === '' ? 'a value was expected' : `'${word.slice(0, 40)}' is none`} ${this.#where()}`,
      );
    return word;
  }

  #text(): string {
    const { parts, hasEscapes } = this.#scanText(MAX_TEXT_BYTES);
    const text = (parts.length === 1 ? parts[0] : Buffer.concat(parts))?.toString() ?? '';
    if (!hasEscapes) return text;
    try {
      return String(JSON.parse(`"${text}"`));
    } catch {
      return this.#fault(`a text with a broken escape ${this.#where()}`);
    }
  }

  /** Passes over a text. `parts` are its bytes as long as they are few enough to be wanted; valid until the next read. */
  #scanText(maxBytes: number): { readonly parts: Buffer[]; readonly hasEscapes: boolean } {
    const parts: Buffer[] = [];
    let sizeBytes = 0;
    let hasEscapes = false;
    let isEscaped = false;
    this.#at += 1;
    for (;;) {
      if (this.#peek() === -1) this.#fault('it ends within a text');
      const start = this.#at;
      let end = start;
      for (; end < this.#end; end += 1) {
        const byte = this.#window[end] ?? 0;
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) {
          isEscaped = true;
          hasEscapes = true;
        } else if (byte === QUOTE) break;
        else if (byte < 0x20) {
          this.#at = end;
          this.#fault(`a control character in a text ${this.#where()}`);
        }
      }
      sizeBytes += end - start;
      const isDone = end < this.#end;
      if (sizeBytes <= maxBytes && maxBytes !== Number.POSITIVE_INFINITY) {
        const part = this.#window.subarray(start, end);
        parts.push(isDone ? part : Buffer.from(part));
      } else if (maxBytes !== Number.POSITIVE_INFINITY)
        this.#fault(`a text of more than ${maxBytes} bytes ${this.#where()}`);
      this.#at = end;
      if (isDone) {
        this.#at += 1;
        return { parts, hasEscapes };
      }
    }
  }
}
