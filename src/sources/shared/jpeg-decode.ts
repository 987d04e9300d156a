import { BitReader, HuffmanTable, JpegFault } from './jpeg-huffman.ts';
import { inverseDct } from './jpeg-idct.ts';

/** Place of each coefficient in row order (T.81, figure 5). */
const ZIGZAG = Uint8Array.of(
  0,
  1,
  8,
  16,
  9,
  2,
  3,
  10,
  17,
  24,
  32,
  25,
  18,
  11,
  4,
  5,
  12,
  19,
  26,
  33,
  40,
  48,
  41,
  34,
  27,
  20,
  13,
  6,
  7,
  14,
  21,
  28,
  35,
  42,
  49,
  56,
  57,
  50,
  43,
  36,
  29,
  22,
  15,
  23,
  30,
  37,
  44,
  51,
  58,
  59,
  52,
  45,
  38,
  31,
  39,
  46,
  53,
  60,
  61,
  54,
  47,
  55,
  62,
  63,
);

/** Tables that a stream brings along or finds already there. */
export interface JpegTables {
  /** In row order. */
  readonly quantization: readonly (Uint16Array | undefined)[];
  readonly dc: readonly (HuffmanTable | undefined)[];
  readonly ac: readonly (HuffmanTable | undefined)[];
}

/** The samples of one component, as many as were stored. */
export interface JpegComponent {
  readonly id: number;
  readonly h: number;
  readonly v: number;
  /** Of real samples. */
  readonly width: number;
  readonly height: number;
  /** Samples from one row to the next. */
  readonly stride: number;
  readonly samples: Uint8ClampedArray;
  readonly table: number;
}

export interface JpegImage {
  readonly width: number;
  readonly height: number;
  readonly components: readonly JpegComponent[];
}

interface Mutable {
  quantization: (Uint16Array | undefined)[];
  dc: (HuffmanTable | undefined)[];
  ac: (HuffmanTable | undefined)[];
  restartInterval: number;
}

/** Marker segments one after the other; what follows a scan's header is its own to read. */
function* segmentsOf(
  bytes: Uint8Array,
): Generator<{ marker: number; body: Uint8Array; end: number }, void, number | undefined> {
  if (bytes[0] !== 255 || bytes[1] !== 0xd8) throw new JpegFault('it does not begin as a JPEG stream');
  for (let at = 2; at + 1 < bytes.length; ) {
    if (bytes[at] !== 255) throw new JpegFault('bytes between its markers');
    const marker = bytes[at + 1] as number;
    if (marker === 255) {
      at += 1;
      continue;
    }
    if (marker === 0xd9) return;
    const length = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    const end = at + 2 + length;
    if (length < 2 || end > bytes.length) throw new JpegFault('a marker segment ends early');
    const next = yield { marker, body: bytes.subarray(at + 4, end), end };
    at = next || end;
  }
}

function takeQuantization(body: Uint8Array, tables: Mutable): void {
  for (let at = 0; at < body.length; ) {
    const head = body[at++] as number;
    const wide = head >> 4;
    const size = wide === 0 ? 64 : 128;
    if (wide > 1 || at + size > body.length) throw new JpegFault('a quantization table is damaged');
    const table = new Uint16Array(64);
    for (let i = 0; i < 64; i++) {
      const value = wide
        ? ((body[at + 2 * i] as number) << 8) | (body[at + 2 * i + 1] as number)
        : body[at + i];
      table[ZIGZAG[i] as number] = value as number;
    }
    tables.quantization[head & 15] = table;
    at += size;
  }
}

function takeHuffman(body: Uint8Array, tables: Mutable): void {
  for (let at = 0; at < body.length; ) {
    const head = body[at] as number;
    const counts = body.slice(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const end = at + 17 + total;
    if (counts.length < 16 || end > body.length) throw new JpegFault('a Huffman table is damaged');
    const table = new HuffmanTable(counts, body.slice(at + 17, end));
    (head >> 4 === 0 ? tables.dc : tables.ac)[head & 15] = table;
    at = end;
  }
}

/** Tables alone, as TIFF's JPEGTables are (Adobe, TIFF Technical Note 2, 1995). @throws JpegFault */
export function readJpegTables(bytes: Uint8Array): JpegTables {
  const tables: Mutable = { quantization: [], dc: [], ac: [], restartInterval: 0 };
  for (const { marker, body } of segmentsOf(bytes)) {
    if (marker === 0xdb) takeQuantization(body, tables);
    else if (marker === 0xc4) takeHuffman(body, tables);
  }
  return tables;
}

/** The frame of a stream, its samples still zero. @throws JpegFault when it is larger than `most` */
function readFrame(body: Uint8Array, most: { readonly width: number; readonly height: number }): JpegImage {
  const [precision = 0, h1 = 0, h2 = 0, w1 = 0, w2 = 0, count = 0] = body;
  const height = (h1 << 8) | h2;
  const width = (w1 << 8) | w2;
  if (precision !== 8) throw new JpegFault(`${precision}-bit JPEG`, true);
  if (width === 0 || height === 0 || width > most.width || height > most.height)
    throw new JpegFault(`a JPEG stream of ${width} by ${height} pixels for ${most.width} by ${most.height}`);
  if (count === 0 || count > 4 || body.length < 6 + 3 * count) throw new JpegFault('its frame is damaged');
  const parts = Array.from({ length: count }, (_, i) => {
    const [id = 0, factors = 0, table = 0] = body.subarray(6 + 3 * i);
    return { id, h: factors >> 4, v: factors & 15, table };
  });
  const most2 = { h: Math.max(...parts.map(({ h }) => h)), v: Math.max(...parts.map(({ v }) => v)) };
  if (parts.some(({ h, v }) => h < 1 || v < 1 || h > 4 || v > 4)) throw new JpegFault('its frame is damaged');
  const components = parts.map((part) => {
    const stride = Math.ceil(width / (8 * most2.h)) * part.h * 8;
    const rows = Math.ceil(height / (8 * most2.v)) * part.v * 8;
    return {
      ...part,
      width: Math.ceil((width * part.h) / most2.h),
      height: Math.ceil((height * part.v) / most2.v),
      stride,
      samples: new Uint8ClampedArray(stride * rows),
    };
  });
  return { width, height, components };
}

interface ScanPart {
  readonly component: JpegComponent;
  readonly quantization: Uint16Array;
  readonly dc: HuffmanTable;
  readonly ac: HuffmanTable;
  predicted: number;
}

const block = new Int32Array(64);

/** Decodes one block to where it stands. @throws JpegFault */
function readBlock(bits: BitReader, part: ScanPart, row: number, column: number): void {
  const { component, quantization, dc, ac } = part;
  block.fill(0);
  const size = dc.next(bits);
  if (size > 11) throw new JpegFault('an impossible difference');
  part.predicted += bits.signed(size);
  block[0] = part.predicted * (quantization[0] as number);
  for (let k = 1; k < 64; k++) {
    const symbol = ac.next(bits);
    const length = symbol & 15;
    if (length === 0) {
      if (symbol !== 0xf0) break;
      k += 15;
      continue;
    }
    k += symbol >> 4;
    if (k > 63) throw new JpegFault('too many coefficients in a block');
    const place = ZIGZAG[k] as number;
    block[place] = bits.signed(length) * (quantization[place] as number);
  }
  inverseDct(block, component.samples, row * 8 * component.stride + column * 8, component.stride);
}

/** Reads a scan of a sequential frame. @returns where it ends. @throws JpegFault */
function readScan(
  bytes: Uint8Array,
  start: number,
  body: Uint8Array,
  image: JpegImage,
  tables: Mutable,
): number {
  const count = body[0] ?? 0;
  if (count === 0 || count > image.components.length || body.length < 1 + 2 * count)
    throw new JpegFault('a scan is damaged');
  const parts = Array.from({ length: count }, (_, i): ScanPart => {
    const component = image.components.find(({ id }) => id === body[1 + 2 * i]);
    const selected = body[2 + 2 * i] ?? 0;
    const quantization = component && tables.quantization[component.table];
    const dc = tables.dc[selected >> 4];
    const ac = tables.ac[selected & 15];
    if (!component || !quantization || !dc || !ac)
      throw new JpegFault('a scan names tables that are not there');
    return { component, quantization, dc, ac, predicted: 0 };
  });
  const bits = new BitReader(bytes, start);
  const [alone] = count === 1 ? parts : [];
  const most = {
    h: Math.max(...image.components.map(({ h }) => h)),
    v: Math.max(...image.components.map(({ v }) => v)),
  };
  // A scan of one component has its blocks in rows, without those that only fill up (T.81, A.2.2).
  const across = alone ? Math.ceil(alone.component.width / 8) : Math.ceil(image.width / (8 * most.h));
  const down = alone ? Math.ceil(alone.component.height / 8) : Math.ceil(image.height / (8 * most.v));
  for (let unit = 0; unit < across * down; unit++) {
    if (tables.restartInterval > 0 && unit > 0 && unit % tables.restartInterval === 0) {
      bits.restart(unit / tables.restartInterval - 1);
      for (const part of parts) part.predicted = 0;
    }
    const row = Math.floor(unit / across);
    const column = unit % across;
    if (alone) {
      readBlock(bits, alone, row, column);
      continue;
    }
    for (const part of parts) {
      const { h, v } = part.component;
      for (let y = 0; y < v; y++)
        for (let x = 0; x < h; x++) readBlock(bits, part, row * v + y, column * h + x);
    }
  }
  return bits.position;
}

/**
 * Decodes a JPEG stream (ITU-T T.81) of the sequential, Huffman-coded kind with 8 bits: what TIFFs hold. Components
 * come as they are stored, subsampled or not.
 * @param given tables from outside the stream.
 * @param most no stream may be larger.
 * @throws JpegFault
 */
export function decodeJpeg(
  bytes: Uint8Array,
  given: JpegTables | undefined,
  most: { readonly width: number; readonly height: number },
): JpegImage {
  const tables: Mutable = {
    quantization: [...(given?.quantization ?? [])],
    dc: [...(given?.dc ?? [])],
    ac: [...(given?.ac ?? [])],
    restartInterval: 0,
  };
  let image: JpegImage | undefined;
  const scanned = new Set<number>();
  const segments = segmentsOf(bytes);
  for (let step = segments.next(0); !step.done; ) {
    const { marker, body, end } = step.value;
    let next = 0;
    if (marker === 0xdb) takeQuantization(body, tables);
    else if (marker === 0xc4) takeHuffman(body, tables);
    else if (marker === 0xdd) tables.restartInterval = ((body[0] ?? 0) << 8) | (body[1] ?? 0);
    else if (marker === 0xc0 || marker === 0xc1) {
      if (image) throw new JpegFault('two frames');
      image = readFrame(body, most);
    } else if (marker > 0xc1 && marker <= 0xcf && marker !== 0xc8 && marker !== 0xcc)
      throw new JpegFault(`JPEG of process ${marker - 0xc0} (progressive, lossless or arithmetic)`, true);
    else if (marker === 0xda) {
      if (!image) throw new JpegFault('a scan without a frame');
      next = readScan(bytes, end, body, image, tables);
      for (let i = 0; i < (body[0] ?? 0); i++) scanned.add(body[1 + 2 * i] ?? -1);
      if (image.components.every(({ id }) => scanned.has(id))) break;
    }
    step = segments.next(next);
  }
  if (!image || image.components.some(({ id }) => !scanned.has(id)))
    throw new JpegFault('components are missing');
  return image;
}
