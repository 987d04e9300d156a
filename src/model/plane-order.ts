/** The columns that say where a plane lies, by plane number. */
export interface PlaneAddressColumns {
  readonly rows: Uint8Array;
  readonly columns: Uint8Array;
  readonly sites: Uint32Array;
  readonly channels: Uint16Array;
  readonly zs: Uint32Array;
  readonly ts: Uint32Array;
}

/** Order of two planes: row, column, site, channel, z, t; 0 when they have the same address. */
export function compareAddresses(planes: PlaneAddressColumns, a: number, b: number): number {
  return (
    (planes.rows[a] ?? 0) - (planes.rows[b] ?? 0) ||
    (planes.columns[a] ?? 0) - (planes.columns[b] ?? 0) ||
    (planes.sites[a] ?? 0) - (planes.sites[b] ?? 0) ||
    (planes.channels[a] ?? 0) - (planes.channels[b] ?? 0) ||
    (planes.zs[a] ?? 0) - (planes.zs[b] ?? 0) ||
    (planes.ts[a] ?? 0) - (planes.ts[b] ?? 0)
  );
}

/** Largest value + 1. */
function radix(values: Uint8Array | Uint16Array | Uint32Array, count: number): number {
  let largest = 0;
  for (let i = 0; i < count; i += 1) largest = Math.max(largest, values[i] ?? 0);
  return largest + 1;
}

/**
 * Plane numbers in address order; planes of one address stay in the order of their numbers. Where addresses
 * fit a double beside the plane number they are sorted as numbers, which is ten times faster than comparing.
 */
export function addressOrder(planes: PlaneAddressColumns, count: number): Uint32Array {
  const order = new Uint32Array(count);
  const { rows, columns, sites, channels, zs, ts } = planes;
  const columnRadix = radix(columns, count);
  const siteRadix = radix(sites, count);
  const channelRadix = radix(channels, count);
  const zRadix = radix(zs, count);
  const tRadix = radix(ts, count);
  const ranks = radix(rows, count) * columnRadix * siteRadix * channelRadix * zRadix * tRadix;
  if (ranks * count >= Number.MAX_SAFE_INTEGER) {
    for (let i = 0; i < count; i += 1) order[i] = i;
    return order.sort((a, b) => compareAddresses(planes, a, b) || a - b);
  }
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i += 1) {
    const well = (rows[i] ?? 0) * columnRadix + (columns[i] ?? 0);
    const field = well * siteRadix + (sites[i] ?? 0);
    const stack = field * channelRadix + (channels[i] ?? 0);
    keys[i] = ((stack * zRadix + (zs[i] ?? 0)) * tRadix + (ts[i] ?? 0)) * count + i;
  }
  keys.sort();
  for (let i = 0; i < count; i += 1) order[i] = (keys[i] ?? 0) % count;
  return order;
}
