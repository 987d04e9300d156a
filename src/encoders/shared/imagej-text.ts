import type { ImageInfo } from '../../model/image.ts';
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

/**
 * Channel names as ImageJ's slice labels, one per plane: `IJIJ`, `labl`, the number of labels, then the
 * labels in UTF-16 (ij.io.TiffEncoder.makeMetaDataTag…), all little-endian. None when no channel has a name.
 */
export function sliceLabels(image: ImageInfo): readonly PeriodicTag[] {
  const channels = image.shape[1];
  const planes = planeCount(image);
  const names = Array.from({ length: channels }, (_, c) => image.channels[c]?.name ?? '');
  if (names.every((name) => name === '')) return [];
  const labels = names.map((name) => Buffer.from(name, 'utf16le'));
  const header = Buffer.alloc(12);
  header.writeUInt32LE(0x494a494a, 0);
  header.writeUInt32LE(0x6c61626c, 4);
  header.writeUInt32LE(planes, 8);
  const headerSize = Buffer.alloc(4);
  headerSize.writeUInt32LE(header.length, 0);
  const sizes = Buffer.alloc(4 * channels);
  labels.forEach((label, c) => {
    sizes.writeUInt32LE(label.length, 4 * c);
  });
  const unit = Buffer.concat(labels);
  return [
    {
      tag: META_DATA_BYTE_COUNTS,
      type: 4,
      head: headerSize,
      unit: sizes,
      sizeBytes: headerSize.length + 4 * planes,
    },
    {
      tag: META_DATA,
      type: 1,
      head: header,
      unit,
      sizeBytes: header.length + (planes / channels) * unit.length,
    },
  ];
}
