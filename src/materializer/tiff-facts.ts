import type { PlaneFacts } from '../model/file-origin.ts';
import type { TiffPage } from './tiff-structure.ts';

/** What a TIFF's own tags say about its image, or the plate of the plane that it is named after. */
export interface TiffFacts extends PlaneFacts {
  /** Of the channels of a stack, in their order. */
  readonly channels?: readonly { readonly name?: string; readonly color?: string }[];
}

/** Micrometres per unit, by the names ImageJ and OME write. */
const UNIT_UM: ReadonlyMap<string, number> = new Map([
  ['micron', 1],
  ['microns', 1],
  ['micrometer', 1],
  ['um', 1],
  ['µm', 1],
  ['μm', 1],
  ['\\u00b5m', 1],
  ['nm', 1e-3],
  ['nanometer', 1e-3],
  ['mm', 1e3],
  ['millimeter', 1e3],
  ['cm', 1e4],
  ['inch', 25_400],
]);

const isSize = (value: number | undefined): value is number =>
  value !== undefined && Number.isFinite(value) && value > 0;

/** `key=value` lines of an ImageJ description; undefined when the text is none. */
export function imageJFields(description: string | undefined): ReadonlyMap<string, string> | undefined {
  if (!description?.startsWith('ImageJ=')) return undefined;
  return new Map(
    description.split(/\r?\n/).flatMap((line): [string, string][] => {
      const at = line.indexOf('=');
      return at < 0 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()]];
    }),
  );
}

/** Facts of the first page's tags: ImageJ text, OME-XML, MetaMorph XML, else the resolution tags with a unit. */
export function readTiffFacts(page: TiffPage): TiffFacts {
  const { description } = page;
  const imageJ = imageJFields(description);
  if (imageJ) return imageJFacts(page, imageJ);
  if (description?.includes('<OME')) return omeFacts(description);
  if (description?.includes('<MetaData>')) return metaMorphFacts(description);
  const unitUm = page.resolutionUnit === 3 ? 1e4 : page.resolutionUnit === 2 ? 25_400 : undefined;
  // Writers that know no size put 72, 96 or 300 dpi, or 1 per unit, into these tags: a printer's resolution.
  if (unitUm === undefined || unitUm === 25_400) return {};
  return sized(page, unitUm);
}

function sized(page: TiffPage, unitUm: number): TiffFacts {
  const { xResolution, yResolution } = page;
  if (!isSize(xResolution) || !isSize(yResolution)) return {};
  return { pixelSizeUm: { x: unitUm / xResolution, y: unitUm / yResolution } };
}

function imageJFacts(page: TiffPage, fields: ReadonlyMap<string, string>): TiffFacts {
  const unitUm = UNIT_UM.get((fields.get('unit') ?? '').toLowerCase());
  const spacing = Number(fields.get('spacing') ?? Number.NaN);
  const interval = Number(fields.get('finterval') ?? Number.NaN);
  return {
    ...(unitUm === undefined ? {} : sized(page, unitUm)),
    ...(unitUm !== undefined && isSize(spacing) ? { zSpacingUm: spacing * unitUm } : {}),
    ...(isSize(interval) ? { timeIntervalS: interval } : {}),
  };
}

function attribute(text: string, name: string): string | undefined {
  return new RegExp(`\\b${name}="([^"]*)"`).exec(text)?.[1];
}

function decodeXml(text: string): string {
  return text
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&amp;/g, '&');
}

/** OME-XML (schema 2016-06): PhysicalSize attributes are in µm where no unit is given. */
function omeFacts(description: string): TiffFacts {
  const pixels = /<(?:\w+:)?Pixels\b[^>]*>/.exec(description)?.[0] ?? '';
  const sizeUm = (axis: string): number => {
    const unit = attribute(pixels, `PhysicalSize${axis}Unit`) ?? 'µm';
    return (
      Number(attribute(pixels, `PhysicalSize${axis}`) ?? Number.NaN) *
      (UNIT_UM.get(decodeXml(unit)) ?? Number.NaN)
    );
  };
  const x = sizeUm('X');
  const y = sizeUm('Y');
  const z = sizeUm('Z');
  const channels = description.match(/<(?:\w+:)?Channel\b[^>]*>/g) ?? [];
  const known = channels.map((channel) => {
    const name = attribute(channel, 'Name');
    const color = omeColor(attribute(channel, 'Color'));
    return { ...(name ? { name: decodeXml(name) } : {}), ...(color === undefined ? {} : { color }) };
  });
  const [only] = known.length === 1 ? known : [];
  const hasChannels =
    known.length > 1 && known.some(({ name, color }) => name !== undefined || color !== undefined);
  return {
    ...(isSize(x) && isSize(y) ? { pixelSizeUm: { x, y } } : {}),
    ...(isSize(z) ? { zSpacingUm: z } : {}),
    ...(only?.name === undefined ? {} : { channelName: only.name }),
    ...(only?.color === undefined ? {} : { channelColor: only.color }),
    ...(hasChannels ? { channels: known } : {}),
  };
}

/** `Color` of OME-XML (schema 2016-06): red, green, blue and alpha as the bytes of a signed 32-bit number. */
function omeColor(text: string | undefined): string | undefined {
  const value = Number(text ?? Number.NaN);
  if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 32) return undefined;
  return (value >>> 8).toString(16).padStart(6, '0').toUpperCase();
}

/** MetaMorph's `<prop id="…" type="…" value="…"/>`; `spatial-calibration-x` is µm where the units say so. */
function metaMorphFacts(description: string): TiffFacts {
  const properties = new Map<string, string>();
  for (const [tag] of description.matchAll(/<(?:custom-)?prop\b[^>]*>/g)) {
    const id = attribute(tag, 'id');
    const value = attribute(tag, 'value');
    if (id !== undefined && value !== undefined) properties.set(id, decodeXml(value));
  }
  const unit = properties.get('spatial-calibration-units')?.toLowerCase();
  const unitUm = unit === undefined ? undefined : UNIT_UM.get(unit);
  const x = Number(properties.get('spatial-calibration-x') ?? Number.NaN) * (unitUm ?? Number.NaN);
  const y = Number(properties.get('spatial-calibration-y') ?? Number.NaN) * (unitUm ?? Number.NaN);
  const isCalibrated = properties.get('spatial-calibration-state') !== 'off';
  const name = properties.get('_IllumSetting_');
  return {
    ...(isCalibrated && isSize(x) && isSize(y) ? { pixelSizeUm: { x, y } } : {}),
    ...(name ? { channelName: name } : {}),
  };
}
