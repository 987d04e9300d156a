/** Castagnoli's polynomial, reflected (RFC 3720, 12.1). */
const POLYNOMIAL = 0x82f63b78;

/** `TABLES[k][b]`: checksum of byte `b` followed by `k` zero bytes. */
const TABLES: readonly Uint32Array[] = (() => {
  const first = Uint32Array.from({ length: 256 }, (_, value) => {
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    return value >>> 0;
  });
  const tables = [first];
  for (let k = 1; k < 4; k++) {
    const before = tables[k - 1] ?? first;
    tables.push(before.map((value) => (first[value & 255] ?? 0) ^ (value >>> 8)));
  }
  return tables;
})();

/** CRC-32C of `bytes` (RFC 3720), as Zarr's `crc32c` codec stores it in four little-endian bytes. */
export function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = TABLES;
  let crc = 0xffffffff;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    crc ^=
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    crc =
      (t3?.[crc & 255] ?? 0) ^
      (t2?.[(crc >>> 8) & 255] ?? 0) ^
      (t1?.[(crc >>> 16) & 255] ?? 0) ^
      (t0?.[crc >>> 24] ?? 0);
  }
  for (; at < bytes.length; at++) crc = (t0?.[(crc ^ (bytes[at] ?? 0)) & 255] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}
