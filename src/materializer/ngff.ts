import type { Dtype } from '../core/nd-array.ts';
import { multiscalesOf, type NgffVersion, omeroOf, plateOf, wellOf } from '../model/ngff.ts';
import { DOWNSAMPLING_TEXTS } from '../model/ngff-levels.ts';
import { parseWellName, rowLetters } from '../model/well.ts';
import { type ImageLevels, levelFactors } from './image-levels.ts';
import { columnName } from './placement.ts';

/** What OME-NGFF says of images, wells and the plate that results land in. Pure. */

export interface ImageFacts {
  readonly name: string;
  readonly dtype: Dtype;
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
  readonly zSpacingUm?: number;
  readonly timeIntervalS?: number;
  /** Names by index on the c axis; absent where unknown. */
  readonly channelNames: Readonly<Record<string, string>>;
  /** Hexadecimal RGB by index on the c axis; absent where unknown. */
  readonly channelColors: Readonly<Record<string, string>>;
  readonly channelCount: number;
  readonly levels: ImageLevels;
}

/** Attributes of an image. `omero` only where a channel's name or colour is known. */
export function imageAttributes(facts: ImageFacts, version: NgffVersion): object {
  const { channelNames, channelColors, channelCount, dtype, levels } = facts;
  const { count, downsampling } = levels;
  const paths = Array.from({ length: count }, (_, level) => ({
    path: String(level),
    factors: levelFactors(level),
  }));
  const how = count > 1 ? { type: downsampling, description: DOWNSAMPLING_TEXTS[downsampling] } : undefined;
  const multiscales = multiscalesOf(facts, paths, version, how);
  const channels = Array.from({ length: channelCount }, (_, index) => ({
    label: channelNames[index] ?? `w${index + 1}`,
    color: channelColors[index],
  }));
  const isKnown = Object.keys({ ...channelNames, ...channelColors }).length > 0;
  const omero = isKnown ? omeroOf(channels, dtype, version) : undefined;
  return { multiscales, ...(omero ? { omero } : {}) };
}

export interface WellImage {
  readonly path: string;
  readonly acquisition: number;
}

/** Attributes of a well. */
export function wellAttributes(images: readonly WellImage[], version: NgffVersion): object {
  const sorted = images.toSorted((a, b) => Number(a.path) - Number(b.path));
  return { well: wellOf(sorted, version) };
}

export interface PlateContent {
  readonly name: string;
  /** Group names; the acquisition's id is its place in `ids`. */
  readonly acquisitions: readonly { readonly id: number; readonly name: string; readonly fields: number }[];
  /** `A/01`. */
  readonly wells: readonly string[];
  readonly fieldCount: number;
}

/** `plate` of the root's attributes; undefined without a well. */
export function plateAttributes(plate: PlateContent, version: NgffVersion): object | undefined {
  const positions = plate.wells
    .flatMap((path) => parseWellName(path) ?? [])
    .toSorted((a, b) => a.row - b.row || a.column - b.column);
  const rows = [...new Set(positions.map((well) => well.row))].toSorted((a, b) => a - b);
  const columns = [...new Set(positions.map((well) => well.column))].toSorted((a, b) => a - b);
  return plateOf(
    {
      ...plate,
      rows: rows.map(rowLetters),
      columns: columns.map(columnName),
      wells: positions.map(({ row, column }) => ({
        rowIndex: rows.indexOf(row),
        columnIndex: columns.indexOf(column),
      })),
    },
    version,
  );
}
