import type { Dtype } from '../../core/nd-array.ts';
import { colourParts, type ImageChannel, type ImageInfo, type PlaneLookup } from '../../model/image.ts';
import { planeCount } from './tiff-layout.ts';

/** Pixel types of the OME schema 2016-06 by our dtypes; it has no 64-bit integers and no half. */
const OME_TYPES: { readonly [D in Dtype]?: string } = {
  uint8: 'uint8',
  int8: 'int8',
  uint16: 'uint16',
  int16: 'int16',
  uint32: 'uint32',
  int32: 'int32',
  float32: 'float',
  float64: 'double',
};

/**
 * Text for an attribute: markup escaped, whitespace kept by reference, and what XML 1.0 can't hold at all
 * (control characters, lone surrogates) replaced by U+FFFD.
 */
export function xmlAttribute(text: string): string {
  return (
    text
      .toWellFormed()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 section 2.2 forbids exactly these
      .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '\uFFFD')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replace(/[\t\n\r]/g, (space) => `&#${space.charCodeAt(0)};`)
  );
}

function attribute(name: string, value: string | number | undefined): string {
  return value === undefined ? '' : ` ${name}="${xmlAttribute(String(value))}"`;
}

/** Element Channel. */
function channelElement(channel: ImageChannel | undefined, index: number): string {
  const wavelength = (kind: string, nm: number | undefined): string =>
    nm === undefined ? '' : attribute(`${kind}Wavelength`, nm) + attribute(`${kind}WavelengthUnit`, 'nm');
  const colour = colourParts(channel?.color);
  return `<Channel${[
    attribute('ID', `Channel:0:${index}`),
    attribute('Name', channel?.name),
    ' SamplesPerPixel="1"',
    // Red, green, blue and opacity as one signed number.
    attribute('Color', colour && (colour[0] << 24) | (colour[1] << 16) | (colour[2] << 8) | 255),
    wavelength('Excitation', channel?.excitationNm),
    wavelength('Emission', channel?.emissionNm),
  ].join('')}/>`;
}

/** Elements Plane are left out of larger images: their text would be longer than programs expect to read. */
const MOST_PLANE_ELEMENTS = 10_000;
/** Every element has this room, so that the size of the file doesn't change when more becomes known of a plane. */
const PLANE_ELEMENT_BYTES = 256;

/** Elements Plane, in the order of the file. */
function planeElements({ shape: [ts, cs, zs] }: ImageInfo, planes: PlaneLookup | 'blank'): string {
  if (ts * cs * zs > MOST_PLANE_ELEMENTS) return '';
  if (planes === 'blank') return ' '.repeat(ts * cs * zs * PLANE_ELEMENT_BYTES);
  // 12 digits are beyond any stage and clock, and bound the length.
  const number = (value: number | undefined): number | undefined =>
    value === undefined || !Number.isFinite(value) ? undefined : Number(value.toPrecision(12));
  const length = (name: string, value: number | undefined, unit: string): string =>
    value === undefined ? '' : `${attribute(name, value)}${attribute(`${name}Unit`, unit)}`;
  let text = '';
  for (let t = 0; t < ts; t += 1)
    for (let z = 0; z < zs; z += 1)
      for (let c = 0; c < cs; c += 1) {
        const known = planes(t, c, z);
        const place = `<Plane TheZ="${z}" TheT="${t}" TheC="${c}"`;
        const facts = [
          length('DeltaT', number(known?.elapsedS), 's'),
          length('PositionX', number(known?.xUm), 'µm'),
          length('PositionY', number(known?.yUm), 'µm'),
          length('PositionZ', number(known?.zUm), 'µm'),
        ].join('');
        const element = facts === '' ? '' : `${place}${facts}/>`;
        text += element + ' '.repeat(Math.max(0, PLANE_ELEMENT_BYTES - Buffer.byteLength(element, 'utf8')));
      }
  return text;
}

/** Element AcquisitionDate: UTC, to the millisecond. */
function acquisitionDate(atMs: number | undefined): string {
  if (atMs === undefined || !(Math.abs(atMs) < 8e15)) return '';
  return `<AcquisitionDate>${new Date(atMs).toISOString().slice(0, -1)}</AcquisitionDate>`;
}

/**
 * OME-XML of an image whose planes lie in one file, c fastest, then z, then t. What is unknown is absent;
 * lengths are µm, times seconds, wavelengths nm.
 * @param planes what is known of each; `blank` for a text as long with room in their place.
 */
export function omeXml(image: ImageInfo, planes?: PlaneLookup | 'blank'): string {
  const [t, c, z, y, x] = image.shape;
  const pixels = [
    attribute('ID', 'Pixels:0'),
    attribute('DimensionOrder', 'XYCZT'),
    attribute('Type', OME_TYPES[image.dtype]),
    attribute('SizeX', x),
    attribute('SizeY', y),
    attribute('SizeC', c),
    attribute('SizeZ', z),
    attribute('SizeT', t),
    attribute('BigEndian', 'false'),
    attribute('Interleaved', 'false'),
    ...(image.pixelSizeUm === undefined
      ? []
      : [
          attribute('PhysicalSizeX', image.pixelSizeUm.x),
          attribute('PhysicalSizeXUnit', 'µm'),
          attribute('PhysicalSizeY', image.pixelSizeUm.y),
          attribute('PhysicalSizeYUnit', 'µm'),
        ]),
    ...(image.zSpacingUm === undefined
      ? []
      : [attribute('PhysicalSizeZ', image.zSpacingUm), attribute('PhysicalSizeZUnit', 'µm')]),
    ...(image.timeIntervalS === undefined
      ? []
      : [attribute('TimeIncrement', image.timeIntervalS), attribute('TimeIncrementUnit', 's')]),
  ].join('');
  const channels = Array.from({ length: c }, (_, index) => channelElement(image.channels[index], index)).join(
    '',
  );
  return (
    '<?xml version="1.0" encoding="UTF-8"?>' +
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"' +
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"' +
    ' xsi:schemaLocation="http://www.openmicroscopy.org/Schemas/OME/2016-06' +
    ' http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd">' +
    `<Image ID="Image:0"${attribute('Name', image.name)}>${acquisitionDate(image.acquiredAtMs)}` +
    `<Pixels${pixels}>${channels}<TiffData IFD="0" PlaneCount="${planeCount(image)}"/>` +
    `${planes === undefined ? '' : planeElements(image, planes)}</Pixels></Image></OME>`
  );
}
