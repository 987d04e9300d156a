import { areWells, type NameColumn, partition } from './name-columns.ts';

/** What a part of names is taken for, and why. `*` is a part that doesn't matter; undefined a text to be kept. */
export interface PartRole {
  readonly token:
    | '{well}'
    | '{row:01}'
    | '{column}'
    | '{site}'
    | '{channel}'
    | '{z}'
    | '{t}'
    | '*'
    | undefined;
  readonly why: string;
}

type Axis = 'row' | 'column' | 'site' | 'channel' | 'z' | 't';

/** What instruments and scripts put before a number. */
const PREFIXES: Readonly<Record<string, Axis>> = {
  ...Object.fromEntries(
    ['s', 'site', 'f', 'field', 'fld', 'fov', 'pos', 'position', 'xy', 'point', 'tile'].map((one) => [
      one,
      'site',
    ]),
  ),
  ...Object.fromEntries(
    ['c', 'ch', 'channel', 'w', 'wv', 'wave', 'wavelength'].map((one) => [one, 'channel']),
  ),
  ...Object.fromEntries(['z', 'zstep', 'slice', 'plane', 'zpos', 'focus'].map((one) => [one, 'z'])),
  ...Object.fromEntries(['t', 'tm', 'tp', 'time', 'timepoint', 'frame', 'sk'].map((one) => [one, 't'])),
  row: 'row',
  col: 'column',
  column: 'column',
};
/** Beyond this, words are rather plates or conditions. */
const MAX_CHANNEL_WORDS = 20;
/** Beyond this, bare numbers are rather z or time than channels. */
const MAX_BARE_CHANNELS = 6;

/** Gives each part of names what it seems to be: wells first, then what its prefix says, then words, then bare numbers. */
export function partRoles(columns: readonly NameColumn[]): PartRole[] {
  const roles: (PartRole | undefined)[] = columns.map(() => undefined);
  const taken = new Set<Axis>();
  const varies = (i: number): boolean => (columns[i]?.distinct.size ?? 0) > 1;
  const give = (i: number, axis: Axis, why: string): void => {
    roles[i] = { token: axis === 'row' ? '{row:01}' : `{${axis}}`, why };
    taken.add(axis);
  };
  const each = (visit: (column: NameColumn, i: number) => void): void => {
    for (const [i, column] of columns.entries()) if (!roles[i]) visit(column, i);
  };

  const wells = columns.filter(({ distinct, isFolder }) => areWells(distinct, isFolder));
  const varying = wells.filter(({ distinct }) => distinct.size > 1);
  const well = varying[0] ?? wells[0];
  if (well) {
    taken.add('row').add('column');
    each((column, i) => {
      if (
        column.kind === 'text' &&
        (column === well || (varying.includes(column) && partition(column) === partition(well)))
      )
        roles[i] = { token: '{well}', why: 'looks like a well' };
    });
  } else giveRowsAndColumns(columns, give);

  const wellPartition = well && varies(columns.indexOf(well)) ? partition(well) : undefined;
  each((column, i) => {
    if (wellPartition !== undefined && varies(i) && partition(column) === wellPartition)
      roles[i] = { token: '*', why: 'goes with the well' };
  });
  for (const wanted of [true, false])
    each((column, i) => {
      if (column.kind !== 'digits' || varies(i) !== wanted || (!wanted && !column.isField)) return;
      const axis = PREFIXES[column.prefix];
      if (axis && !taken.has(axis)) give(i, axis, `stands behind '${column.prefix}'`);
    });
  each((column, i) => {
    // Harmony's p is a plane, ScanR's a position.
    if (column.prefix !== 'p' || column.kind !== 'digits' || !varies(i)) return;
    const axis = taken.has('site') ? 'z' : 'site';
    if (!taken.has(axis)) give(i, axis, "stands behind 'p'");
  });
  each((column, i) => {
    if (column.kind === 'moment' && varies(i) && !taken.has('t')) give(i, 't', 'looks like a date and time');
  });
  giveTogether(columns, roles, varies);
  each((column, i) => {
    if (
      column.kind === 'text' &&
      varies(i) &&
      !taken.has('channel') &&
      column.distinct.size <= MAX_CHANNEL_WORDS &&
      column.isField
    )
      give(i, 'channel', 'is a word: its name');
  });
  each((column, i) => {
    if (column.kind !== 'digits' || !varies(i)) return;
    const free = (['site', 'channel', 'z', 't'] as const).find(
      (axis) => !taken.has(axis) && (axis !== 'channel' || column.distinct.size <= MAX_BARE_CHANNELS),
    );
    if (free) give(i, free, 'is a number without a word: look whether it is');
  });
  return columns.map(
    (_, i) =>
      roles[i] ??
      (varies(i)
        ? { token: '*', why: 'varies, and nothing is left for it to be' }
        : { token: undefined, why: '' }),
  );
}

/** `r01c02`: c right behind r is a column, else a channel. */
function giveRowsAndColumns(
  columns: readonly NameColumn[],
  give: (i: number, axis: Axis, why: string) => void,
): void {
  const row = columns.findIndex(
    (column, i) =>
      column.kind === 'digits' &&
      (column.prefix === 'r' || column.prefix === 'row') &&
      columns[i + 1]?.kind === 'digits' &&
      ['c', 'col', 'column'].includes(columns[i + 1]?.prefix ?? ''),
  );
  if (row < 0) return;
  give(row, 'row', `stands behind '${columns[row]?.prefix}'`);
  give(row + 1, 'column', `stands behind '${columns[row + 1]?.prefix}', right after the row`);
}

/** A part without a role that varies together with another one doesn't matter, or says the same again. */
function giveTogether(
  columns: readonly NameColumn[],
  roles: (PartRole | undefined)[],
  varies: (i: number) => boolean,
): void {
  const first = new Map<string, number>();
  const inOrder = [...columns.keys()].sort((a, b) => Number(!roles[a]) - Number(!roles[b]));
  for (const i of inOrder) {
    const column = columns[i];
    if (!column || !varies(i)) continue;
    const key = partition(column);
    const known = first.get(key);
    const other = known === undefined ? undefined : columns[known];
    if (known === undefined || !other) first.set(key, i);
    else if (!roles[i]) {
      const again = roles[known];
      const isSame =
        column.kind === 'digits'
          ? again?.token === `{${PREFIXES[column.prefix]}}` &&
            column.texts.every((text, n) => Number(text) === Number(other.texts[n]))
          : column.texts.every((text, n) => text === other.texts[n]);
      roles[i] =
        isSame && again
          ? { token: again.token, why: 'says the same again' }
          : { token: '*', why: `goes with '${[...other.distinct][0]}'` };
    }
  }
}
