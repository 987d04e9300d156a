import { wellName } from '../../src/model/well.ts';
import { DEFAULT_PLATE, type PlateOptions } from '../plate-maker/plate-options.ts';
import { tiffFile } from '../plate-maker/tiff-file.ts';

/** How many of everything an ImageXpress plate has. */
export interface PlateGeometry {
  readonly rows: number;
  readonly columns: number;
  readonly sites: number;
  readonly channels: number;
  readonly zSteps: number;
  readonly timePoints: number;
}

/** A file of such a plate; `row` and `column` count from 0, the rest from 1. */
export interface PlacedFile {
  readonly row: number;
  readonly column: number;
  readonly site: number;
  readonly channel: number;
}

export const PLATE_NAME = 'Screen_7_plate_12';
const SIZE_PX = 64;

export const planesOf = (geometry: PlateGeometry): number =>
  Object.values(geometry as unknown as Record<string, number>).reduce((product, count) => product * count, 1);

export const fileName = ({ row, column, site, channel }: PlacedFile): string =>
  `${PLATE_NAME}_${wellName({ row, column })}_s${site}_w${channel}.tif`;

export const stepFolder = (t: number, z: number): string => `TimePoint_${t}/ZStep_${z}`;

/** The files of one z step of one time point. */
export function* filesOfStep({ rows, columns, sites, channels }: PlateGeometry): Generator<PlacedFile> {
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      for (let site = 1; site <= sites; site++)
        for (let channel = 1; channel <= channels; channel++) yield { row, column, site, channel };
}

/** Every z step of every time point. */
export function* stepsOf({ zSteps, timePoints }: PlateGeometry): Generator<{ t: number; z: number }> {
  for (let t = 1; t <= timePoints; t++) for (let z = 1; z <= zSteps; z++) yield { t, z };
}

/** What the HTD of such a plate is made from. */
export function plateText({
  rows,
  columns,
  sites,
  channels,
  zSteps,
  timePoints,
}: PlateGeometry): PlateOptions {
  return {
    ...DEFAULT_PLATE,
    plateName: PLATE_NAME,
    wells: Array.from({ length: rows * columns }, (_, i) =>
      wellName({ row: Math.floor(i / columns), column: i % columns }),
    ),
    sites,
    channels: ['DAPI', 'FITC', 'Texas Red', 'Cy5'].slice(0, channels),
    zSteps,
    timePoints,
    width: SIZE_PX,
    height: SIZE_PX,
  };
}

export function tinyImage(): Buffer {
  return tiffFile({
    width: SIZE_PX,
    height: SIZE_PX,
    pixels: new Uint16Array(SIZE_PX * SIZE_PX).fill(200),
    description: '',
    dateTime: '20240709 13:13:03.006',
    compression: 'none',
    rowsPerStrip: SIZE_PX,
    directoryFirst: true,
  });
}
