import type { Dtype } from '../../core/nd-array.ts';
import type { ImageInfo } from '../../model/image.ts';
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

/**
 * OME-XML of an image whose planes lie in one file, c fastest, then z, then t. What is unknown is absent;
 * lengths are µm, times seconds, wavelengths nm.
 */
export function omeXml(image: ImageInfo): string {
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
  const channels = Array.from({ length: c }, (_, index) => {
    const channel = image.channels[index];
    const emission =
      channel?.emissionNm === undefined
        ? ''
        : attribute('EmissionWavelength', channel.emissionNm) + attribute('EmissionWavelengthUnit', 'nm');
    return `<Channel${attribute('ID', `Channel:0:${index}`)}${attribute('Name', channel?.name)} SamplesPerPixel="1"${emission}/>`;
  }).join('');
  return (
    '<?xml version="1.0" encoding="UTF-8"?>' +
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"' +
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"' +
    ' xsi:schemaLocation="http://www.openmicroscopy.org/Schemas/OME/2016-06' +
    ' http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd">' +
    `<Image ID="Image:0"${attribute('Name', image.name)}><Pixels${pixels}>${channels}` +
    `<TiffData IFD="0" PlaneCount="${planeCount(image)}"/></Pixels></Image></OME>`
  );
}
