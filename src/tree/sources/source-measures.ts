import {
  type CatalogFamily,
  type CatalogFile,
  fullVersion,
  type IndexedSource,
  isMeasured,
  ROWS_PER_BLOCK,
} from '../../model/indexed-source.ts';
import type { SourceItem, TableFamilyItem, TableItem } from '../../sources.ts';
import type { CatalogEncoders } from './catalog-encoders.ts';
import { nameMembers } from './member-names.ts';
import { measureFamily, measureTable, type UseSource } from './table-blocks.ts';

/** Of the files of one item, what only reading tells. */
export interface Measure {
  readonly source: IndexedSource;
  /** Place in the catalog's items. */
  readonly item: number;
}

const flag = (): Int32Array => new Int32Array(new SharedArrayBuffer(4));

/** Memory for what a table's file is not known of yet. */
export const lateRows = (rowCount: number): Required<Pick<CatalogFile, 'rowOffsets' | 'known'>> => ({
  rowOffsets: new Float64Array(new SharedArrayBuffer(8 * (Math.ceil(rowCount / ROWS_PER_BLOCK) + 1))),
  known: flag(),
});

/** The same for a family of even tables: only its members' names. */
export const lateNames = (): Required<Pick<CatalogFile, 'known'>> => ({ known: flag() });

const filesOf = ({ source, item }: Measure): CatalogFile[] =>
  [...source.files, ...source.families].filter((file) => file.item === item);

/** What of some sources is still to be measured. */
export function unmeasured(sources: readonly IndexedSource[]): Measure[] {
  return sources.flatMap((source) => {
    const items = new Set<number>();
    for (const file of [...source.files, ...source.families]) if (!isMeasured(file)) items.add(file.item);
    return [...items].map((item) => ({ source, item }));
  });
}

/** Threads see what was measured from now on. */
export function publishMeasure(measure: Measure): void {
  for (const { known } of filesOf(measure)) if (known) Atomics.store(known, 0, 1);
}

/**
 * Reads what the sizes of an item's files, and the names of a family's members, can't be told without; a little per
 * step. Nobody sees it before {@link publishMeasure}. @throws what the source throws.
 */
export function* takeMeasure(measure: Measure, encoders: CatalogEncoders, use: UseSource): Generator<void> {
  const { source, item: number } = measure;
  yield* measureFiles(source.catalog.items[number], filesOf(measure), encoders, use);
}

/** The same before there is an indexed source. */
export function* measureFiles(
  item: SourceItem | undefined,
  files: readonly (CatalogFile | CatalogFamily)[],
  encoders: CatalogEncoders,
  use: UseSource,
): Generator<void> {
  const rows = files.flatMap(({ encoder: id, rowOffsets: offsets }) => {
    const encoder = encoders.tables.get(id);
    return encoder && offsets ? [{ encoder, offsets }] : [];
  });
  if (item?.kind === 'table') yield* measureTable(item, rows, use);
  if (item?.kind !== 'family') return;
  for (const { encoder, offsets } of rows) yield* measureFamily(item, encoder, offsets, use);
  for (const file of files) if ('members' in file) yield* nameMembers(item, file, use);
}

/** Cells that are read at once, when a source is looked into: what is larger is measured when somebody asks for it. */
const SMALL_CELLS = 2 ** 15;

/** Whether an item costs no more to measure than to look at. */
export function isSmall(item: TableItem | TableFamilyItem): boolean {
  const { rowCount, columns } = item;
  const members = item.kind === 'family' ? item.memberCount : 0;
  return rowCount * columns.length + members <= SMALL_CELLS;
}

/** Sources as they are found again, with what was measured of the same files before. */
export function withEarlierMeasures(
  sources: readonly IndexedSource[],
  before: readonly IndexedSource[],
): IndexedSource[] {
  return sources.map((source) => {
    const earlier = before.find(
      ({ name, path, driver }) => name === source.name && path === source.path && driver === source.driver,
    );
    if (!earlier || earlier === source || fullVersion(earlier) !== fullVersion(source)) return source;
    const same = <T extends CatalogFile>(file: T, all: readonly T[]): T => {
      const known = all.find(
        ({ path, rowOffsets }) => path === file.path && rowOffsets?.length === file.rowOffsets?.length,
      );
      return known && isMeasured(known) && !isMeasured(file) ? { ...known, item: file.item } : file;
    };
    return {
      ...source,
      files: source.files.map((file) => same(file, earlier.files)),
      families: source.families.map((family) => same(family, earlier.families)),
    };
  });
}
