/** Longest member that is kept; metadata of an image is about 4 kB. */
const MAX_MEMBER_BYTES = 4 << 20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;

/** One member of the outermost object, `"key": value` as it is written. */
export interface JsonMember {
  readonly key: string;
  /** The value's text, not yet looked at. */
  readonly value: string;
}

/**
 * Cuts a JSON object of any length into its members, chunk by chunk. What a writer that was interrupted left out
 * at the end doesn't matter: members before it are whole.
 */
export class JsonMemberSplitter {
  /** Members that were too long to be kept. */
  tooLong = 0;
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  #pieces: Buffer[] = [];
  #size = 0;

  /** Members that end in the chunk, whose memory may be used again afterwards. */
  *write(chunk: Buffer): Generator<JsonMember> {
    let start = 0;
    for (let i = 0; i < chunk.length; i += 1) {
      const code = chunk[i];
      if (this.#inString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (code === BACKSLASH) this.#isEscaped = true;
        else if (code === QUOTE) this.#inString = false;
        continue;
      }
      if (code === QUOTE) this.#inString = true;
      else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
        this.#depth += 1;
        if (this.#depth === 1) start = i + 1;
      } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
        this.#depth -= 1;
        if (this.#depth === 0) {
          yield* this.#take(chunk.subarray(start, i));
          start = i + 1;
        }
      } else if (code === COMMA && this.#depth === 1) {
        yield* this.#take(chunk.subarray(start, i));
        start = i + 1;
      }
    }
    if (this.#depth > 0) this.#keep(chunk.subarray(start));
  }

  #keep(piece: Buffer): void {
    this.#size += piece.length;
    if (this.#size <= MAX_MEMBER_BYTES) this.#pieces.push(Buffer.from(piece));
    else this.#pieces = [];
  }

  *#take(piece: Buffer): Generator<JsonMember> {
    this.#keep(piece);
    const isWhole = this.#size <= MAX_MEMBER_BYTES;
    const text = isWhole ? Buffer.concat(this.#pieces).toString('utf8') : '';
    this.#pieces = [];
    this.#size = 0;
    if (!isWhole) this.tooLong += 1;
    const match = /^\s*("(?:[^"\\]|\\.)*")\s*:\s*/.exec(text);
    if (!match?.[1]) return;
    let key: unknown;
    try {
      key = JSON.parse(match[1]);
    } catch {
      // A key that is no JSON text names nothing that is looked for.
      return;
    }
    if (typeof key === 'string') yield { key, value: text.slice(match[0].length) };
  }
}
