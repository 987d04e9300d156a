import { compareNatural } from '../../model/natural-order.ts';
import { parseWellName, type WellPosition } from '../../model/well.ts';

/** A stage position of an acquisition, or a tile of one. */
export interface MmPosition {
  /** The label of the position list, where it is known. */
  readonly name?: string;
  /** The position's own number, from 0. */
  readonly order: number;
  /** Tile of a stitched area, where the acquisition has `row` and `column` axes. */
  readonly tile?: { readonly row: number; readonly column: number };
  /** Values of axes that PlateFS has no name for; each combination is a field. */
  readonly others?: string;
}

/** Where a position lies on the plate: site from 1. */
export interface MmField {
  readonly row: number;
  readonly column: number;
  readonly site: number;
}

/** `A1-Site_0`, `B03-Site_1`: labels of Micro-Manager's HCS Site Generator, sites from 0. */
const SITE = /^([a-z]{1,2}\d{1,2})-Site_(\d{1,6})(?:_\d+)*$/i;
/** `A1-Pos_000_001`: a grid of column and row, as the Stage Position List's "Create Grid" labels it. */
const GRID = /^([a-z]{1,2}\d{1,2})-Pos_(\d{1,6})_(\d{1,6})$/i;

interface Reading {
  readonly position: MmPosition;
  readonly index: number;
  readonly well: WellPosition | undefined;
  readonly site: number | undefined;
}

function read(position: MmPosition, index: number): Reading {
  const name = position.name ?? '';
  const site = SITE.exec(name);
  const well = parseWellName(site?.[1] ?? GRID.exec(name)?.[1] ?? '');
  const isTile = position.tile !== undefined || position.others !== undefined;
  return { position, index, well, site: site && well && !isTile ? Number(site[2]) + 1 : undefined };
}

/**
 * Positions whose labels are bare wells: only where all are, and no chance makes them look so: `P1`, `P2` are
 * positions, so the labels must span rows, or be written as wells are, `P01`.
 */
function readBareWells(readings: readonly Reading[]): Reading[] | undefined {
  const wells = readings.map(({ position: { name = '' } }) =>
    /^[a-z]{1,2}\d{1,2}$/i.test(name) ? parseWellName(name) : undefined,
  );
  if (wells.length === 0 || wells.some((well) => well === undefined)) return undefined;
  const rows = new Set(wells.map((well) => well?.row));
  const isPadded = readings.every(({ position: { name = '' } }) => /^[a-z]{1,2}\d{2}$/i.test(name));
  if (rows.size < 2 && !isPadded) return undefined;
  return readings.map((reading, i) => ({ ...reading, well: wells[i] }));
}

function inOrder({ position: a }: Reading, { position: b }: Reading): number {
  return (
    a.order - b.order ||
    compareNatural(a.name ?? '', b.name ?? '') ||
    (a.tile?.row ?? 0) - (b.tile?.row ?? 0) ||
    (a.tile?.column ?? 0) - (b.tile?.column ?? 0) ||
    compareNatural(a.others ?? '', b.others ?? '')
  );
}

/**
 * Gives every position its well and site. In a well, `Site_n` is site n + 1 where all have one of their own, else
 * positions count in their order. Positions without a well are fields of A01, behind those that are there.
 */
export function placePositions(positions: readonly MmPosition[]): { fields: MmField[]; hasWells: boolean } {
  const first = positions.map(read);
  const readings = readBareWells(first) ?? first;
  const wells = new Map<string, Reading[]>();
  const wellless: Reading[] = [];
  for (const reading of readings) {
    const { well } = reading;
    if (!well) wellless.push(reading);
    else {
      const key = `${well.row}/${well.column}`;
      const group = wells.get(key);
      if (group) group.push(reading);
      else wells.set(key, [reading]);
    }
  }
  const fields: MmField[] = [];
  let behind = 0;
  for (const group of wells.values()) {
    group.sort(inOrder);
    const told = new Set(group.map(({ site }) => site));
    const isTold = !told.has(undefined) && told.size === group.length;
    for (const [i, { index, well, site }] of group.entries()) {
      const number = isTold && site !== undefined ? site : i + 1;
      if (well) fields[index] = { ...well, site: number };
      if (well?.row === 0 && well.column === 0) behind = Math.max(behind, number);
    }
  }
  wellless.sort(inOrder);
  for (const [i, { index }] of wellless.entries())
    fields[index] = { row: 0, column: 0, site: behind + i + 1 };
  return { fields, hasWells: wells.size > 0 };
}
