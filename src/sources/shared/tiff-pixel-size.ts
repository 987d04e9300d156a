import { attributesOf, startTags } from './start-tags.ts';

/** Size of a pixel in micrometres. */
export interface PixelSizeUm {
  readonly x: number;
  readonly y: number;
}

/** Micrometres in a unit of length as programs spell it, without regard to case. */
const UM_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ['um', 1],
  ['µm', 1],
  ['μm', 1],
  ['micron', 1],
  ['microns', 1],
  ['nm', 1e-3],
  ['mm', 1e3],
  ['cm', 1e4],
]);

/** Micrometres in a unit as programs spell it; undefined where it is unknown. */
export function umPerUnit(unit: string): number | undefined {
  // ImageJ writes characters beyond ASCII as \uXXXX
  const spelt = unit.replace(/\\u([0-9a-f]{4})/gi, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
  return UM_PER_UNIT.get(spelt.trim().toLowerCase());
}

function sized(x: number, y: number, unit: string): PixelSizeUm | undefined {
  const scale = umPerUnit(unit);
  const valid = (value: number): boolean => value > 0 && value < Number.POSITIVE_INFINITY;
  if (scale === undefined || !valid(x) || !valid(y)) return undefined;
  return { x: x * scale, y: y * scale };
}

const CALIBRATION = 'spatial-calibration-';

/** MetaMorph's XML: `<prop id="spatial-calibration-x" … value="0.65"/>` while the calibration is on. */
function metamorph(text: string): PixelSizeUm | undefined {
  const properties = new Map<string, string | undefined>();
  for (const { content } of startTags(text, ['prop', 'custom-prop'])) {
    const attributes = attributesOf(content);
    const id = attributes.get('id') ?? '';
    if (id.startsWith(CALIBRATION) && !properties.has(id)) properties.set(id, attributes.get('value'));
  }
  const property = (id: string): string | undefined => properties.get(`${CALIBRATION}${id}`);
  const [x, y, units] = [property('x'), property('y'), property('units')];
  if (x === undefined || y === undefined || units === undefined || property('state') === 'off')
    return undefined;
  return sized(Number(x), Number(y), units);
}

/** OME-XML, schema 2016-06: `PhysicalSizeX`, in µm unless `PhysicalSizeXUnit` says otherwise. */
function ome(text: string): PixelSizeUm | undefined {
  const [pixels] = startTags(text, ['Pixels']);
  if (pixels === undefined) return undefined;
  const attributes = attributesOf(pixels.content);
  const [x, y] = [attributes.get('PhysicalSizeX'), attributes.get('PhysicalSizeY')];
  const unitX = attributes.get('PhysicalSizeXUnit') ?? 'µm';
  const unitY = attributes.get('PhysicalSizeYUnit') ?? 'µm';
  if (x === undefined || y === undefined) return undefined;
  const sizeX = sized(Number(x), Number(x), unitX);
  const sizeY = sized(Number(y), Number(y), unitY);
  return sizeX === undefined || sizeY === undefined ? undefined : { x: sizeX.x, y: sizeY.y };
}

/** ImageJ's text says the unit, the resolution tags how many pixels one has (ij.io.FileOpener). */
function imagej(text: string, pixelsPerUnit: PixelSizeUm | undefined): PixelSizeUm | undefined {
  const unit = /^unit=(.*)$/m.exec(text)?.[1];
  if (unit === undefined || pixelsPerUnit === undefined) return undefined;
  const yUnit = /^yunit=(.*)$/m.exec(text)?.[1] ?? unit;
  if (yUnit.trim() !== unit.trim()) return undefined;
  return sized(1 / pixelsPerUnit.x, 1 / pixelsPerUnit.y, unit);
}

/**
 * The pixel size that a TIFF's first page states, from its text (MetaMorph, OME-XML, ImageJ). Undefined where
 * there is none or its unit is unknown. Resolution tags without such a text are a print size (72, 96 or 300 per
 * inch by default), no measurement, and are not believed.
 */
export function tiffPixelSizeUm(
  description: string | undefined,
  pixelsPerUnit: PixelSizeUm | undefined,
): PixelSizeUm | undefined {
  if (description === undefined) return undefined;
  if (description.startsWith('ImageJ=')) return imagej(description, pixelsPerUnit);
  return metamorph(description) ?? ome(description);
}
