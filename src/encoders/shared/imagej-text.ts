import { colourParts, type ImageInfo } from '../../model/image.ts';
import type { PeriodicTag } from './tiff-directory.ts';
import { planeCount } from './tiff-layout.ts';

/** Most channels ImageJ overlays (CompositeImage.MAX_CHANNELS). */
const MOST_COMPOSITE_CHANNELS = 7;

/** Private tags of ImageJ (ij.io.TiffDecoder): sizes of the pieces of metadata, and the pieces. */
const META_DATA_BYTE_COUNTS = 50838;
const META_DATA = 50839;

/**
 * ImageJ's ImageDescription. Sizes beyond one plane only; calibration only where it is known (z
 * spacing only together with a pixel size). `unit` is `micron`, which ImageJ shows as µm and which needs no escape.
 */
export function imagejText(image: ImageInfo): string {
  const [t, c, z] = image.shape;
  const images = planeCount(image);
  const lines = ['ImageJ=1.53t'];
  if (images > 1) lines.push(`images=${images}`);
  if (c > 1) lines.push(`channels=${c}`);
  if (z > 1) lines.push(`slices=${z}`);
  if (t > 1) lines.push(`frames=${t}`);
  if ([t, c, z].filter((extent) => extent > 1).length > 1) lines.push('hyperstack=true');
  if (c > 1) lines.push(`mode=${c > MOST_COMPOSITE_CHANNELS ? 'grayscale' : 'composite'}`);
  // One unit serves x, y and z: without a pixel size ImageJ would show pixels of 1 µm.
  if (image.pixelSizeUm !== undefined) {
    lines.push('unit=micron');
    if (image.zSpacingUm !== undefined && z > 1) lines.push(`spacing=${image.zSpacingUm}`);
  }
  if (image.timeIntervalS !== undefined && t > 1) lines.push(`finterval=${image.timeIntervalS}`);
  if (images > 1) lines.push('loop=false');
  return `${lines.join('\n')}\n`;
}

/** Names of pieces of ImageJ's metadata: slice labels, and colours of channels. */
const LABELS = 0x6c61626c;
const COLOURS = 0x6c757473;
/** A channel's colours: 256 reds, greens and blues. */
const COLOUR_TABLE_BYTES = 768;

/** The colours of every channel, from black to what it is shown in; nothing unless all are known. */
function colourTables(image: ImageInfo): readonly Uint8Array[] {
  const colours = Array.from({ length: image.shape[1] }, (_, c) => colourParts(image.channels[c]?.color));
  return colours.flatMap((colour) => {
    if (colour === undefined || colours.includes(undefined)) return [];
    const table = new Uint8Array(COLOUR_TABLE_BYTES);
    colour.forEach((greatest, part) => {
      for (let i = 0; i < 256; i += 1) table[part * 256 + i] = Math.round((greatest * i) / 255);
    });
    return [table];
  });
}

/** Words of 32 bits, little-endian. */
function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    bytes.writeUInt32LE(value, 4 * index);
  });
  return bytes;
}

/**
 * What ImageJ keeps in tags of its own, little-endian: channel names as slice labels in UTF-16, one per plane, and
 * the channels' colours. A header (`IJIJ`, then the kind and number of each sort of piece), then the pieces; their
 * sizes in a tag beside it (ij.io.TiffEncoder, TiffDecoder.getMetaData). Nothing where nothing is known.
 */
export function imagejMetadata(image: ImageInfo): readonly PeriodicTag[] {
  const channels = image.shape[1];
  const planes = planeCount(image);
  const names = Array.from({ length: channels }, (_, c) => image.channels[c]?.name ?? '');
  const hasNames = names.some((name) => name !== '');
  const tables = colourTables(image);
  if (!hasNames && tables.length === 0) return [];
  const labels = hasNames ? names.map((name) => Buffer.from(name, 'utf16le')) : [];
  const header = words(
    0x494a494a,
    ...(hasNames ? [LABELS, planes] : []),
    ...(tables.length > 0 ? [COLOURS, tables.length] : []),
  );
  const sizes = {
    head: words(header.length),
    unit: words(...labels.map((label) => label.length)),
    tail: words(...tables.map((table) => table.length)),
  };
  const pieces = { head: header, unit: Buffer.concat(labels), tail: Buffer.concat(tables) };
  const sizeBytes = ({ head, unit, tail }: typeof sizes): number =>
    head.length + (planes / channels) * unit.length + tail.length;
  return [
    { tag: META_DATA_BYTE_COUNTS, type: 4, ...sizes, sizeBytes: sizeBytes(sizes) },
    { tag: META_DATA, type: 1, ...pieces, sizeBytes: sizeBytes(pieces) },
  ];
}
