/** Reverses the bytes of every item, in place; bytes behind the last whole item stay. */
export function swapItems(bytes: Buffer, itemBytes: number): void {
  const whole = bytes.subarray(0, bytes.length - (bytes.length % itemBytes));
  if (itemBytes === 2) whole.swap16();
  else if (itemBytes === 4) whole.swap32();
  else if (itemBytes === 8) whole.swap64();
}
