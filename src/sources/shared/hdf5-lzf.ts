/**
 * Expands LibLZF's stream (`lzf_d.c` of LibLZF, which h5py's filter 32000 writes) into `output`; false when it is
 * damaged or does not fill `output` exactly.
 *
 * A control byte below 32 starts a run of that many literal bytes and one; any other has the length of a copy in its
 * high three bits (7: one more byte of length follows) and the distance's high five bits in the others.
 */
export function decodeLzf(stream: Uint8Array, output: Uint8Array): boolean {
  let from = 0;
  let to = 0;
  while (from < stream.length) {
    const control = stream[from++] ?? 0;
    if (control < 32) {
      const end = from + control + 1;
      if (end > stream.length || to + control + 1 > output.length) return false;
      while (from < end) output[to++] = stream[from++] ?? 0;
      continue;
    }
    let length = control >> 5;
    if (length === 7) {
      if (from >= stream.length) return false;
      length += stream[from++] ?? 0;
    }
    length += 2;
    if (from >= stream.length) return false;
    let source = to - ((control & 0x1f) << 8) - (stream[from++] ?? 0) - 1;
    if (source < 0 || to + length > output.length) return false;
    const end = to + length;
    // A copy may reach into what it writes: byte by byte.
    while (to < end) output[to++] = output[source++] ?? 0;
  }
  return to === output.length;
}
