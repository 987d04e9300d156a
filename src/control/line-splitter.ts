/**
 * Cuts a byte stream into lines. Linear in the input, whatever the pieces: bytes are joined once per line.
 * `push` returns undefined when a line grows past the limit.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  #pieces: Buffer[] = [];
  #pendingBytes = 0;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  push(chunk: Buffer): string[] | undefined {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const piece = chunk.subarray(start, end);
      if (this.#pendingBytes + piece.length > this.#maxLineBytes) return undefined;
      lines.push(Buffer.concat([...this.#pieces, piece]).toString('utf8'));
      this.#pieces = [];
      this.#pendingBytes = 0;
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    if (rest.length > 0) this.#pieces.push(rest);
    this.#pendingBytes += rest.length;
    return this.#pendingBytes > this.#maxLineBytes ? undefined : lines;
  }
}
