const LOOKAHEAD = 8;

/** What is wrong with a JPEG stream; who reads the file names it. */
export class JpegFault extends Error {
  /** A valid stream of a kind that is not decoded here. */
  readonly isUnsupported: boolean;
  constructor(message: string, isUnsupported = false) {
    super(message);
    this.isUnsupported = isUnsupported;
  }
}

/** A Huffman table (ITU-T T.81, annex C and F.2.2.3). */
export class HuffmanTable {
  /** Of every 8 bits: length of the code times 256 plus its value; 0 where the code is longer. */
  readonly #short = new Uint16Array(1 << LOOKAHEAD);
  readonly #maxCodes = new Int32Array(18).fill(-1);
  readonly #offsets = new Int32Array(17);
  readonly #values: Uint8Array;

  /** @throws JpegFault when there are more codes than fit */
  constructor(counts: Uint8Array, values: Uint8Array) {
    this.#values = values;
    let code = 0;
    let index = 0;
    for (let length = 1; length <= 16; length++) {
      const count = counts[length - 1] ?? 0;
      this.#offsets[length] = index - code;
      for (let i = 0; i < count; i++, code++, index++) {
        if (length > LOOKAHEAD) continue;
        const first = code << (LOOKAHEAD - length);
        this.#short.fill((length << 8) | (values[index] ?? 0), first, first + (1 << (LOOKAHEAD - length)));
      }
      if (code > 1 << length) throw new JpegFault('a Huffman table has too many codes');
      if (count > 0) this.#maxCodes[length] = code - 1;
      code <<= 1;
    }
  }

  /** The next value of a stream. @throws JpegFault */
  next(bits: BitReader): number {
    const entry = this.#short[bits.peek8()] as number;
    if (entry !== 0) {
      bits.skip(entry >> 8);
      return entry & 255;
    }
    let code = bits.take(LOOKAHEAD);
    for (let length = LOOKAHEAD + 1; length <= 16; length++) {
      code = (code << 1) | bits.take(1);
      if (code <= (this.#maxCodes[length] as number))
        return this.#values[code + (this.#offsets[length] as number)] ?? 0;
    }
    throw new JpegFault('an impossible Huffman code');
  }
}

/** The entropy-coded bytes of a scan, bit by bit; a byte 0 behind each 255 is no data (T.81, B.1.1.5). */
export class BitReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #held = 0;
  #count = 0;
  /** Zeros handed out behind the end of the data. */
  #missing = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Where the next marker stands, or the end. */
  get position(): number {
    return this.#at;
  }

  #fill(): void {
    const bytes = this.#bytes;
    while (this.#count <= 16) {
      let byte = 0;
      if (this.#at >= bytes.length || (bytes[this.#at] === 255 && bytes[this.#at + 1] !== 0)) {
        this.#missing += 8;
      } else {
        byte = bytes[this.#at] as number;
        this.#at += byte === 255 ? 2 : 1;
      }
      this.#held = ((this.#held << 8) | byte) & 0xffffff;
      this.#count += 8;
    }
  }

  peek8(): number {
    if (this.#count < 8) this.#fill();
    return (this.#held >> (this.#count - 8)) & 255;
  }

  /** @throws JpegFault when the data ended before */
  skip(count: number): void {
    this.#count -= count;
    if (this.#missing > 0 && this.#count < this.#missing) throw new JpegFault('its data ends early');
  }

  /** The next 1 to 16 bits. @throws JpegFault when the data ended before */
  take(count: number): number {
    if (this.#count < count) this.#fill();
    const value = (this.#held >> (this.#count - count)) & ((1 << count) - 1);
    this.skip(count);
    return value;
  }

  /** A difference or coefficient of so many bits, with its sign (T.81, F.2.2.1). */
  signed(count: number): number {
    if (count === 0) return 0;
    const value = this.take(count);
    return value < 1 << (count - 1) ? value - (1 << count) + 1 : value;
  }

  /** Passes a restart marker. @throws JpegFault when another one or none stands there */
  restart(number: number): void {
    this.#held = 0;
    this.#count = 0;
    this.#missing = 0;
    const marker = 0xd0 + (number & 7);
    if (this.#bytes[this.#at] !== 255 || this.#bytes[this.#at + 1] !== marker)
      throw new JpegFault('a restart marker is missing');
    this.#at += 2;
  }
}
