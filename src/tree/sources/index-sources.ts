import { isDeepStrictEqual } from 'node:util';
import { explain, NotAPlateError, PlateFsError } from '../../core/errors.ts';
import type { IndexedSource, SourceOptions, SourceScope } from '../../model/indexed-source.ts';
import type { PlateWarning } from '../../model/plate.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import { childDirectories, fileByName, nameAt } from '../../model/plate-lookup.ts';
import { lastName } from '../../model/source-url.ts';
import {
  type DescribeSource,
  describeSource,
  driversOf,
  type FoundSource,
  fileVersion,
  isAsCatalogued,
  looksLikeStore,
} from './describe-source.ts';
import { StoreDocuments } from './store-documents.ts';

/** Sources of one folder; what more there is stands there as ordinary files. */
const MAX_SOURCES = 1000;

function fileAsSource(index: PlateIndex, file: number, name: string): FoundSource {
  const { rootPath, files } = index;
  const own = nameAt(files.names, file);
  const { version, mtimeMs } = fileVersion(`${rootPath}/${own}`);
  return { name, path: `${rootPath}/${own}`, root: rootPath, isFolder: false, version, mtimeMs };
}

function folderAsSource(index: PlateIndex, directory: number, name: string): FoundSource {
  const { rootPath } = index;
  const path = name === '' ? rootPath : `${rootPath}/${name}`;
  const documents = new StoreDocuments(index, directory);
  const { version, mtimeMs } = documents;
  return { name, path, root: path, isFolder: true, version, mtimeMs, documents };
}

const filesIn = ({ directories, files }: PlateIndex, directory: number): string[] => {
  const names: string[] = [];
  const end = directories.firstFile[directory + 1] ?? 0;
  for (let file = directories.firstFile[directory] ?? 0; file < end; file += 1)
    names.push(nameAt(files.names, file));
  return names;
};

/** The files and folders in the root that some driver may take. */
async function candidates(index: PlateIndex): Promise<FoundSource[]> {
  const found: FoundSource[] = [];
  const children = childDirectories(index, 0);
  for (let directory = children.first; directory < children.end; directory += 1) {
    const name = nameAt(index.directories.names, directory);
    if (!name.startsWith('.') && looksLikeStore(filesIn(index, directory)))
      found.push(folderAsSource(index, directory, name));
  }
  for (const name of filesIn(index, 0)) {
    const file = fileByName(index, 0, name);
    if (file === undefined || name.startsWith('.') || (await driversOf(name, false)).length === 0) continue;
    found.push(fileAsSource(index, file, name));
  }
  return found;
}

function onlySource(
  index: PlateIndex,
  scope: Exclude<SourceScope, { kind: 'folder' | 'list' }>,
): FoundSource {
  const { rootPath } = index;
  switch (scope.kind) {
    case 'url':
      return {
        name: '',
        path: rootPath,
        root: rootPath,
        isFolder: true,
        version: rootPath,
        mtimeMs: index.indexedAtMs,
      };
    case 'store':
      return folderAsSource(index, 0, '');
    case 'file':
      return fileAsSource(index, fileByName(index, 0, scope.name) ?? 0, '');
  }
}

/** An index of something that has no files here. */
export function emptyIndex(place: string, formatDetail: string): PlateIndex {
  const name = lastName(place) || place;
  return new PlateIndexBuilder(place).finish({ name, format: 'plain-files', formatDetail, channels: [] });
}

/** The index of a mount's root in which there is nothing but what a mount definition names. */
export const listIndex = (definition: string): PlateIndex => ({
  ...emptyIndex(definition, 'mount definition'),
  scope: { kind: 'list' },
  sources: [],
});

/**
 * The index of something that is no plate, with what its files and stores hold. Those that are as they were in
 * `previous`, shown as it was asked then, are not looked into again.
 * @throws where one alone is mounted, what is wrong with it; in a folder that is a warning, and the file stays a file.
 */
export async function withSources(
  index: PlateIndex,
  scope: SourceScope,
  previous: PlateIndex | undefined,
  options: SourceOptions,
  signal: AbortSignal,
  lookInto: DescribeSource = describeSource,
): Promise<PlateIndex> {
  const same = isDeepStrictEqual(previous?.sourceOptions ?? {}, options) ? previous?.sources : [];
  const known = new Map(same?.map((source) => [`${source.name}\0${source.version}`, source]));
  const describe = async (found: FoundSource): Promise<IndexedSource | undefined> =>
    known.get(`${found.name}\0${found.version}`) ?? (await lookInto(found, options, signal));
  const made = { ...index, scope, sourceOptions: options };
  if (scope.kind === 'list') return made;
  if (scope.kind !== 'folder') {
    const found = onlySource(index, scope);
    const before = scope.kind === 'url' ? known.get(`${found.name}\0${found.version}`) : undefined;
    const isOld = before !== undefined && !(await isAsCatalogued(before));
    const source = isOld ? await lookInto(found, options, signal) : await describe(found);
    if (!source) throw nobodyKnows(index, scope);
    const facts = { ...index.facts, formatDetail: source.catalog.title };
    return { ...made, facts, sources: [source], warnings: [...index.warnings, ...source.warnings] };
  }
  const sources: IndexedSource[] = [];
  const warnings = (scope.refused ?? []).map(({ name, why }) => shownAsItIs(name, why));
  const all = await candidates(index);
  for (const found of all.slice(0, MAX_SOURCES)) {
    try {
      const source = await describe(found);
      if (source) sources.push(source);
    } catch (error) {
      if (!(error instanceof PlateFsError) || error.tag === 'cancelled') throw error;
      warnings.push(shownAsItIs(found.name, explain(error)));
    }
  }
  if (all.length > MAX_SOURCES)
    warnings.push({
      kind: 'too-many-sources',
      message: `the first ${MAX_SOURCES} of ${all.length} files and stores are shown by what they hold, the others as they are`,
      files: [],
      rule: 'mount one of them, or a folder with fewer',
    });
  const told = [...index.warnings, ...warnings, ...sources.flatMap((source) => source.warnings)];
  return { ...made, sources, warnings: told };
}

const shownAsItIs = (name: string, why: string): PlateWarning => ({
  kind: 'unreadable-source',
  message: `${name} is shown as it is: ${why}`,
  files: [name],
});

function nobodyKnows({ rootPath }: PlateIndex, scope: SourceScope): NotAPlateError {
  const path = scope.kind === 'file' ? `${rootPath}/${scope.name}` : rootPath;
  return new NotAPlateError(path, 'nothing in it is known: neither images nor arrays nor tables', {
    advice: 'name a plate folder, an OME-Zarr, Zarr or AnnData store, an HDF5 file or a TIFF',
  });
}
