import { parseWellName, type WellPosition } from '../../model/well.ts';

/**
 * What MetaMorph wrote into a TIFF's description: XML `<MetaData><PlaneInfo><prop id= type= value=/>`, in older
 * files text lines such as `Spatial Calibration: 0.65 um`. What it lacks is absent.
 */
export interface MetaMorphFacts {
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
  /** A calibration was written in a unit that is no length; the unit. */
  readonly unknownUnit?: string;
  /** Name of the illumination setting, which MetaXpress shows as the wave's name. */
  readonly channelName?: string;
  readonly emissionNm?: number;
  readonly zPositionUm?: number;
  /** `Z Step`: the step within its stack, from 1. */
  readonly zStep?: number;
  /** `Z Projection Method`: `Maximum`, `Best Focus` … */
  readonly projection?: string;
  readonly timePoint?: number;
  /** Local time of acquisition as ms since an arbitrary zero; only differences mean something. */
  readonly acquiredMs?: number;
  /** Of the stage label `B02 : Site 2`. */
  readonly well?: WellPosition;
  readonly site?: number;
}

const PROPERTY = /<(?:custom-)?prop\s+id="([^"]*)"\s+type="[^"]*"\s+value="([^"]*)"/g;
/** µm per unit. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ['um', 1],
  ['µm', 1],
  ['μm', 1],
  ['micron', 1],
  ['microns', 1],
  ['micrometer', 1],
  ['micrometers', 1],
  ['nm', 1e-3],
  ['mm', 1e3],
]);
/** Units that say that nothing was calibrated. */
const UNCALIBRATED = new Set(['', 'pixel', 'pixels', 'none']);

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos));/gi,
    (whole, decimal, hex, name) => {
      if (name !== undefined) return ENTITIES[String(name).toLowerCase()] ?? whole;
      const unit = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      return unit <= 0x10ffff ? String.fromCodePoint(unit) : whole;
    },
  );
}

function finite(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function positive(text: string | undefined): number | undefined {
  const value = finite(text);
  return value !== undefined && value > 0 ? value : undefined;
}

type Calibration = Pick<MetaMorphFacts, 'pixelSizeUm' | 'unknownUnit'>;

function calibration(x: number | undefined, y: number | undefined, unit: string | undefined): Calibration {
  if (x === undefined || y === undefined || unit === undefined) return {};
  const normal = unit.trim().toLowerCase();
  if (UNCALIBRATED.has(normal)) return {};
  const scale = UNITS.get(normal);
  if (scale === undefined) return { unknownUnit: unit };
  return { pixelSizeUm: { x: x * scale, y: y * scale } };
}

/** `20240709 13:13:03.006` → ms. */
function acquisitionMs(text: string | undefined): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?/.exec(text ?? '');
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second, Number((match[7] ?? '').padEnd(3, '0')));
}

function stage(label: string | undefined): Pick<MetaMorphFacts, 'well' | 'site'> {
  const match = /^\s*([A-Z]{1,2}\d{1,2})\s*(?::\s*Site\s+(\d{1,6}))?\s*$/i.exec(label ?? '');
  const well = parseWellName(match?.[1] ?? '');
  const site = positive(match?.[2]);
  return { ...(well ? { well } : {}), ...(site === undefined ? {} : { site }) };
}

/** True when a description is MetaMorph's or its kin's. */
export function isMetaMorph(description: string): boolean {
  return (
    /<prop id="ApplicationName"[^>]*value="Meta(Morph|Series|Xpress)/i.test(description) ||
    /<prop id="_IllumSetting_"/.test(description)
  );
}

/** Reads a description. Never throws: what can't be read is absent. */
export function parseMetaMorph(description: string): MetaMorphFacts {
  const values = new Map<string, string>();
  for (const [, id = '', value = ''] of description.matchAll(PROPERTY))
    if (!values.has(id)) values.set(id, decodeEntities(value));
  if (values.size === 0) {
    const text = /Spatial Calibration:\s*([\d.]+)\s*([^\s\d]+)/.exec(description);
    const size = positive(text?.[1]);
    return calibration(size, size, text?.[2]);
  }
  const calibrated = values.get('spatial-calibration-state') !== 'off';
  const channelName = values.get('_IllumSetting_') ?? values.get('image-name');
  const emissionNm = positive(values.get('wavelength'));
  const zPositionUm = finite(values.get('z-position'));
  const zStep = positive(values.get('Z Step'));
  const projection = values.get('Z Projection Method');
  const timePoint = positive(values.get('Timepoint'));
  const acquiredMs = acquisitionMs(values.get('acquisition-time-local'));
  return {
    ...(calibrated
      ? calibration(
          positive(values.get('spatial-calibration-x')),
          positive(values.get('spatial-calibration-y')),
          values.get('spatial-calibration-units'),
        )
      : {}),
    ...(channelName === undefined || channelName === '' ? {} : { channelName }),
    ...(emissionNm === undefined ? {} : { emissionNm }),
    ...(zPositionUm === undefined ? {} : { zPositionUm }),
    ...(zStep === undefined ? {} : { zStep }),
    ...(projection === undefined || projection === '' ? {} : { projection }),
    ...(timePoint === undefined ? {} : { timePoint }),
    ...(acquiredMs === undefined ? {} : { acquiredMs }),
    ...stage(values.get('stage-label')),
  };
}
