/** The farthest a short match reaches (`MAX_DISTANCE` of c-blosc's `blosclz.c`). */
const MAX_SHORT_DISTANCE = 8191;

/**
 * Expands one BloscLZ stream (c-blosc `blosclz.c`, a FastLZ of level 2) into `output`; false when it is damaged or
 * does not fill `output` exactly.
 */
export function decodeBloscLz(stream: Uint8Array, output: Uint8Array): boolean {
  if (stream.length === 0) return false;
  const byte = (at: number): number => stream[at] ?? 0;
  let input = 1;
  let at = 0;
  // The first byte is always a run of literals; its upper bits hold the level.
  let control = byte(0) & 31;
  for (;;) {
    if (control < 32) {
      const literals = control + 1;
      if (input + literals > stream.length || at + literals > output.length) return false;
      output.set(stream.subarray(input, input + literals), at);
      input += literals;
      at += literals;
    } else {
      let length = (control >> 5) - 1;
      let distance = (control & 31) << 8;
      if (length === 6) {
        let more = 255;
        while (more === 255) {
          if (input >= stream.length) return false;
          more = byte(input++);
          length += more;
        }
      }
      length += 3;
      if (input >= stream.length) return false;
      const code = byte(input++);
      if (code === 255 && distance === 31 << 8) {
        if (input + 2 > stream.length) return false;
        distance = (byte(input) << 8) + byte(input + 1) + MAX_SHORT_DISTANCE;
        input += 2;
      } else distance += code;
      const start = at - distance - 1;
      if (start < 0 || at + length > output.length) return false;
      if (distance === 0) output.fill(output[start] ?? 0, at, at + length);
      else {
        const end = at + length;
        for (let to = at; to < end; ) {
          const piece = Math.min(to - start, end - to);
          output.copyWithin(to, start, start + piece);
          to += piece;
        }
      }
      at += length;
    }
    if (input >= stream.length) return at === output.length;
    control = byte(input++);
  }
}
