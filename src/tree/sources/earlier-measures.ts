import { type CatalogFile, fullVersion, type IndexedSource, isMeasured } from '../../model/indexed-source.ts';

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
