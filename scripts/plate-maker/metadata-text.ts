/** The text MetaXpress writes beside and into its images. */
export interface PlateText {
  readonly plateName: string;
  readonly wells: readonly string[];
  readonly sites: number;
  readonly channels: readonly string[];
  readonly zSteps: number;
  readonly timePoints: number;
  readonly projections: boolean;
}

const PIXEL_SIZE_UM = 0.6842;
const Z_SPACING_UM = 2;
export const TIME_INTERVAL_S = 300;
const EMISSION_NM: readonly number[] = [452, 520, 624, 692];
/** 96 wells, or more where the wells need it. */
const PLATES: readonly (readonly [rows: number, columns: number])[] = [
  [8, 12],
  [16, 24],
  [32, 48],
];

/** Sites in a row and rows of sites, as square as the number allows. */
function siteGrid(sites: number): { rows: number; columns: number } {
  let rows = Math.floor(Math.sqrt(sites));
  while (sites % rows !== 0) rows -= 1;
  return { rows, columns: sites / rows };
}

function wellPosition(well: string): { row: number; column: number } {
  const letters = /^[A-Z]+/.exec(well)?.[0] ?? 'A';
  let row = 0;
  for (const letter of letters) row = row * 26 + letter.charCodeAt(0) - 64;
  return { row: row - 1, column: Number(well.slice(letters.length)) - 1 };
}

function plateSize(wells: readonly string[]): { rows: number; columns: number } {
  const positions = wells.map(wellPosition);
  const [rows, columns] = PLATES.find(([r, c]) =>
    positions.every(({ row, column }) => row < r && column < c),
  ) ?? [32, 48];
  return { rows, columns };
}

/** The HTD, CRLF, its description in Latin-1. */
export function htdText(plate: PlateText): Buffer {
  const { rows, columns } = plateSize(plate.wells);
  const grid = siteGrid(plate.sites);
  const chosen = new Set(plate.wells.map((well) => `${wellPosition(well).row}/${wellPosition(well).column}`));
  const flag = (value: boolean): string => (value ? 'TRUE' : 'FALSE');
  const lines = [
    '"HTSInfoFile", Version 1.0',
    `"Description", "${plate.channels.join(', ')}; 20x, ${Z_SPACING_UM} \u00b5m steps"`,
    '"PlateType", 6',
    `"TimePoints", ${plate.timePoints}`,
    `"ZSeries", ${flag(plate.zSteps > 1)}`,
    `"ZSteps", ${plate.zSteps}`,
    `"ZProjection", ${flag(plate.projections)}`,
    `"XWells", ${columns}`,
    `"YWells", ${rows}`,
  ];
  for (let row = 0; row < rows; row += 1) {
    const flags = Array.from({ length: columns }, (_, column) => flag(chosen.has(`${row}/${column}`)));
    lines.push(`"WellsSelection${row + 1}", ${flags.join(', ')}`);
  }
  lines.push('"Sites", TRUE', `"XSites", ${grid.columns}`, `"YSites", ${grid.rows}`);
  for (let row = 0; row < grid.rows; row += 1)
    lines.push(`"SiteSelection${row + 1}", ${Array(grid.columns).fill('TRUE').join(', ')}`);
  lines.push('"Waves", TRUE', `"NWavelengths", ${plate.channels.length}`);
  lines.push(...plate.channels.map((name, i) => `"WaveName${i + 1}", "${name}"`));
  lines.push(...plate.channels.map((_, i) => `"WaveCollect${i + 1}", 1`));
  lines.push('"EndFile"', '');
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

/** `20240709 13:13:03.006`, counted from the plate's start. */
export function acquisitionTime(secondsFromStart: number): string {
  const iso = new Date(Date.UTC(2024, 6, 9, 9, 0, 0) + Math.round(secondsFromStart * 1000)).toISOString();
  return `${iso.slice(0, 10).replaceAll('-', '')} ${iso.slice(11, 23)}`;
}

export interface PlaneText {
  readonly well: string;
  readonly site: number;
  readonly channel: number;
  /** 0 for a projection. */
  readonly z: number;
  readonly t: number;
  readonly width: number;
  readonly height: number;
  readonly dateTime: string;
  /** Pixels of the thumbnail are larger than the image's by this factor. */
  readonly magnification?: number;
}

const escapeXml = (text: string): string => text.replace(/[&<>"]/g, (unit) => `&#${unit.charCodeAt(0)};`);

/** The MetaMorph XML of one image, with the properties MetaXpress writes and others read. */
export function metaMorphXml(plate: PlateText, plane: PlaneText): string {
  const { row, column } = wellPosition(plane.well);
  const grid = siteGrid(plate.sites);
  const siteX = ((plane.site - 1) % grid.columns) + 1;
  const siteY = Math.floor((plane.site - 1) / grid.columns) + 1;
  const pixelSize = PIXEL_SIZE_UM * (plane.magnification ?? 1);
  const offsetX = (siteX - (grid.columns + 1) / 2) * plane.width * PIXEL_SIZE_UM;
  const offsetY = (siteY - (grid.rows + 1) / 2) * plane.height * PIXEL_SIZE_UM;
  const x = (14_380 + column * 9000 + offsetX).toFixed(1);
  const y = (11_240 + row * 9000 + offsetY).toFixed(1);
  const step = plane.z === 0 ? (plate.zSteps + 1) / 2 : plane.z;
  const name = escapeXml(plate.channels[plane.channel - 1] ?? '');
  const prop = (id: string, type: string, value: string | number): string =>
    `<prop id="${id}" type="${type}" value="${value}"/>`;
  const custom = (id: string, type: string, value: string | number): string =>
    `<custom-prop id="${id}" type="${type}" value="${value}"/>`;
  const lines = [
    '<MetaData>',
    prop('Description', 'string', `Plate Name: ${escapeXml(plate.plateName)}&#13;&#10;Exposure: 100 ms`),
    prop('MetaDataVersion', 'float', 1),
    prop('ApplicationName', 'string', 'MetaMorph'),
    prop('ApplicationVersion', 'string', '6.7.2.290'),
    '<PlaneInfo>',
    prop('plane-type', 'string', 'plane'),
    prop('pixel-size-x', 'int', plane.width),
    prop('pixel-size-y', 'int', plane.height),
    prop('bits-per-pixel', 'int', 16),
    prop('spatial-calibration-state', 'bool', 'on'),
    prop('spatial-calibration-x', 'float', pixelSize),
    prop('spatial-calibration-y', 'float', pixelSize),
    prop('spatial-calibration-units', 'string', 'um'),
    prop('image-name', 'string', name),
    prop('acquisition-time-local', 'time', plane.dateTime),
    prop('stage-position-x', 'float', x),
    prop('stage-position-y', 'float', y),
    prop('stage-label', 'string', `${plane.well} : Site ${plane.site}`),
    prop('z-position', 'float', (9300 + step * Z_SPACING_UM).toFixed(2)),
    prop('wavelength', 'float', EMISSION_NM[(plane.channel - 1) % EMISSION_NM.length] ?? 0),
    prop('camera-binning-x', 'int', 2),
    prop('camera-binning-y', 'int', 2),
    prop('_IllumSetting_', 'string', name),
    prop('_MagSetting_', 'string', '20X Plan Apo Lambda'),
    custom('Exposure Time', 'string', '100 ms'),
    custom('SiteX', 'float', siteX),
    custom('SiteY', 'float', siteY),
  ];
  if (plate.timePoints > 1) lines.push(custom('Timepoint', 'float', plane.t));
  if (plane.z === 0) lines.push(custom('Z Projection Method', 'string', 'Maximum'));
  else lines.push(custom('Z Step', 'float', plane.z));
  lines.push('</PlaneInfo>', '<SetInfo>', prop('number-of-planes', 'int', 1), '</SetInfo>', '</MetaData>');
  return lines.join('\r\n');
}
