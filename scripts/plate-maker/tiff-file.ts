import { deflateSync } from 'node:zlib';
import { encodeLzw } from './lzw.ts';

export type Compression = 'none' | 'lzw' | 'deflate';

/** TIFF 6.0 and Adobe's deflate (TIFF Technical Note 2): tag 259. */
const COMPRESSION_CODES: Readonly<Record<Compression, number>> = { none: 1, lzw: 5, deflate: 8 };
const SHORT = 3;
const LONG = 4;
const ASCII = 2;

export interface TiffContent {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint16Array;
  readonly description: string;
  /** `20240709 13:13:03.006` */
  readonly dateTime: string;
  readonly compression: Compression;
  readonly rowsPerStrip: number;
  /** The directory before the pixels (as the database writes it) or behind them (as the export does). */
  readonly directoryFirst: boolean;
}

function strips({ pixels, width, height, rowsPerStrip, compression }: TiffContent): Uint8Array[] {
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const encoded: Uint8Array[] = [];
  for (let row = 0; row < height; row += rowsPerStrip) {
    const raw = bytes.subarray(row * width * 2, Math.min(height, row + rowsPerStrip) * width * 2);
    if (compression === 'lzw') encoded.push(encodeLzw(raw));
    else encoded.push(compression === 'deflate' ? deflateSync(raw, { level: 1 }) : raw);
  }
  return encoded;
}

/** The bytes of a little-endian 16-bit grey TIFF with the tags MetaXpress writes. */
export function tiffFile(content: TiffContent): Buffer {
  const data = strips(content);
  const dataBytes = data.reduce((sum, strip) => sum + strip.length, 0);
  const even = (value: number): number => value + (value % 2);
  const ascii = (text: string): Buffer => Buffer.from(`${text}\0`, 'utf8');
  const texts = new Map([
    [270, ascii(content.description)],
    [305, ascii('MetaSeries')],
    [306, ascii(content.dateTime)],
  ]);
  const numbers: readonly (readonly [tag: number, type: number, value: number])[] = [
    [254, LONG, 0],
    [256, SHORT, content.width],
    [257, SHORT, content.height],
    [258, SHORT, 16],
    [259, SHORT, COMPRESSION_CODES[content.compression]],
    [262, SHORT, 1],
    [277, SHORT, 1],
    [278, SHORT, content.rowsPerStrip],
  ];
  const entries = numbers.length + texts.size + 2;
  const directoryBytes = 2 + 12 * entries + 4;
  const textBytes = [...texts.values()].reduce((sum, text) => sum + even(text.length), 0);
  const arrayBytes = data.length > 1 ? 8 * data.length : 0;
  const metaBytes = directoryBytes + textBytes + arrayBytes;
  const directory = content.directoryFirst ? 8 : 8 + even(dataBytes);
  let offset = content.directoryFirst ? 8 + even(metaBytes) : 8;
  const file = Buffer.alloc(8 + even(metaBytes) + even(dataBytes));
  file.write('II', 0, 'latin1');
  file.writeUInt16LE(42, 2);
  file.writeUInt32LE(directory, 4);
  const offsets = data.map((strip) => {
    file.set(strip, offset);
    offset += strip.length;
    return offset - strip.length;
  });
  let extra = directory + directoryBytes;
  const fields = new Map<number, { type: number; count: number; value: number }>();
  for (const [tag, type, value] of numbers) fields.set(tag, { type, count: 1, value });
  for (const [tag, text] of texts) {
    if (text.length <= 4) {
      fields.set(tag, { type: ASCII, count: text.length, value: text.readUIntLE(0, text.length) });
      continue;
    }
    fields.set(tag, { type: ASCII, count: text.length, value: extra });
    file.set(text, extra);
    extra += even(text.length);
  }
  const array = (tag: number, values: readonly number[]): void => {
    fields.set(tag, {
      type: LONG,
      count: values.length,
      value: values.length === 1 ? (values[0] ?? 0) : extra,
    });
    if (values.length === 1) return;
    for (const value of values) extra = file.writeUInt32LE(value, extra);
  };
  array(273, offsets);
  array(
    279,
    data.map((strip) => strip.length),
  );
  let at = file.writeUInt16LE(fields.size, directory);
  for (const [tag, { type, count, value }] of [...fields].sort((a, b) => a[0] - b[0])) {
    at = file.writeUInt16LE(tag, at);
    at = file.writeUInt16LE(type, at);
    at = file.writeUInt32LE(count, at);
    at = file.writeUInt32LE(value, at);
  }
  return file;
}
