import type { Compression } from './tiff-file.ts';

/** What plate to make. */
export interface PlateOptions {
  readonly plateName: string;
  readonly wells: readonly string[];
  readonly sites: number;
  /** Names of the waves, w1 first. */
  readonly channels: readonly string[];
  readonly zSteps: number;
  readonly timePoints: number;
  readonly width: number;
  readonly height: number;
  /** export: HTD and TimePoint/ZStep folders; database: `<date>/<id>`, GUIDs; flat: all in one folder. */
  readonly shape: 'export' | 'database' | 'flat';
  /** Add maximum projections (ZStep_0 in an export, beside the steps in a database folder). */
  readonly projections: boolean;
  /** Add `_thumb` images, as the database does. */
  readonly thumbnails: boolean;
  readonly htd: boolean;
  readonly compression: Compression;
  readonly extension: string;
  /** Canonical stems of planes left out. */
  readonly missing: readonly string[];
  /** Draw one small scene per channel and stamp each plane with its number: many files fast. */
  readonly stamped: boolean;
  readonly seed: number;
}

export const DEFAULT_PLATE: PlateOptions = {
  plateName: 'Demo_Plate_1',
  wells: ['A01', 'A02', 'B01', 'B02'],
  sites: 2,
  channels: ['DAPI', 'FITC'],
  zSteps: 4,
  timePoints: 2,
  width: 512,
  height: 512,
  shape: 'export',
  projections: false,
  thumbnails: false,
  htd: true,
  compression: 'none',
  extension: '.tif',
  missing: [],
  stamped: false,
  seed: 1,
};

const letters = (row: number): string =>
  row < 26 ? String.fromCharCode(65 + row) : `A${String.fromCharCode(65 + row - 26)}`;

const place = (well: string): { row: number; column: number } => {
  const match = /^([A-Z]{1,2})(\d{1,2})$/.exec(well);
  if (!match) throw new Error(`'${well}' is no well; write A01`);
  let row = 0;
  for (const letter of match[1] ?? '') row = row * 26 + letter.charCodeAt(0) - 64;
  return { row: row - 1, column: Number(match[2]) - 1 };
};

const wellAt = (row: number, column: number): string =>
  `${letters(row)}${String(column + 1).padStart(2, '0')}`;

/** `A01-B03,H12` → the wells of the rectangle and the single ones. */
export function parseWells(text: string): string[] {
  return text.split(',').flatMap((part) => {
    const [from = '', to = from] = part.trim().split('-');
    const first = place(from);
    const last = place(to);
    const wells: string[] = [];
    for (let row = first.row; row <= last.row; row += 1)
      for (let column = first.column; column <= last.column; column += 1) wells.push(wellAt(row, column));
    return wells;
  });
}

/** Options for a plate of exactly this many tiny planes, on up to 384 wells, nested. */
export function plateOfPlanes(planes: number): Partial<PlateOptions> {
  for (let timePoints = 1; timePoints <= 1000; timePoints += 1)
    for (const zSteps of [5, 4, 3, 2, 1, 10])
      for (const channelCount of [4, 2, 3, 5, 1])
        for (const sites of [4, 2, 9, 5, 1]) {
          const perWell = sites * channelCount * zSteps * timePoints;
          const wells = planes / perWell;
          if (!Number.isInteger(wells) || wells > 384) continue;
          return {
            wells: Array.from({ length: wells }, (_, i) => wellAt(Math.floor(i / 24), i % 24)),
            sites,
            channels: ['DAPI', 'FITC', 'Texas Red', 'Cy5', 'TL'].slice(0, channelCount),
            zSteps,
            timePoints,
            width: 64,
            height: 64,
            stamped: true,
          };
        }
  throw new Error(`no plate of 384 wells has exactly ${planes} planes; choose a number with small factors`);
}
