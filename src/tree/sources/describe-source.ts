import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { SourceChangedError, UnreadableSourceError } from '../../core/errors.ts';
import { fileIdentity } from '../../core/file-identity.ts';
import { loadAll } from '../../core/plugin.ts';
import { whenReady } from '../../core/when-ready.ts';
import type { IndexedSource, SourceOptions } from '../../model/indexed-source.ts';
import type { PlateWarning } from '../../model/plate.ts';
import { isUrl } from '../../model/source-url.ts';
import { SOURCES } from '../../registry.generated.ts';
import type { OpenSource, SourceCatalog, SourceDriver } from '../../sources.ts';
import { loadCatalogEncoders } from './catalog-encoders.ts';
import { CatalogFiles, type SourceFiles } from './catalog-files.ts';
import { itemVersions } from './item-versions.ts';
import type { StoreDocuments } from './store-documents.ts';

/** A file or store as it is found in the world. */
export interface FoundSource {
  /** As {@link IndexedSource.name}. */
  readonly name: string;
  /** Absolute path, or an URL. */
  readonly path: string;
  readonly root: string;
  readonly isFolder: boolean;
  /** As {@link IndexedSource.version}. */
  readonly version: string;
  readonly mtimeMs: number;
  /** Of a store of several files. */
  readonly documents?: StoreDocuments;
}

/** As {@link describeSource}. */
export type DescribeSource = (
  found: FoundSource,
  options: SourceOptions,
  signal: AbortSignal,
) => Promise<IndexedSource | undefined>;

/** Warnings of one kind told one by one. */
const MAX_TOLD = 50;
/** Files that describe a Zarr node, by which a folder of any name is known for a store. */
const ZARR_NAMES = ['zarr.json', '.zgroup', '.zarray', '.zmetadata'];

/** Whether a folder is a Zarr store by what lies in it. */
export const looksLikeStore = (names: readonly string[]): boolean =>
  ZARR_NAMES.some((name) => names.includes(name));

/** The drivers that take a file or store by its name, in the order they are asked: AnnData's before those of any file. */
export async function driversOf(path: string, isStore: boolean): Promise<SourceDriver[]> {
  const drivers = await loadAll(SOURCES);
  // A store may have any name: who takes it is asked by the name it would have.
  const asked = isStore && !isUrl(path) && !/\.zarr$/i.test(path) ? `${path}.zarr` : path;
  return drivers.filter((driver) => driver.catalog !== undefined && driver.canOpen(asked));
}

/**
 * Looks into a file or store: what it holds, and the files it is shown as.
 * @returns undefined when no driver knows it.
 * @throws what the driver that knows it says is wrong with it.
 */
export async function describeSource(
  found: FoundSource,
  options: SourceOptions,
  signal: AbortSignal,
): Promise<IndexedSource | undefined> {
  for (const driver of await driversOf(found.path, found.isFolder)) {
    const catalog = await driver.catalog?.(found.path, { root: found.root }, signal);
    if (catalog) return await describe(found, driver, withOptions(catalog, options), options);
  }
  return undefined;
}

/**
 * Whether a source that nothing tells of changes, on a server, is still what it was catalogued as.
 * @throws what opening it throws but that it changed.
 */
export async function isAsCatalogued({ path, driver: id, catalog }: IndexedSource): Promise<boolean> {
  const driver = (await loadAll(SOURCES)).find((one) => one.id === id);
  await driver?.prepare?.(path);
  try {
    driver?.openSync?.(path, catalog)[Symbol.dispose]();
    return true;
  } catch (error) {
    if (error instanceof SourceChangedError) return false;
    throw error;
  }
}

/** The catalog whose images say what their files are to hold. */
function withOptions(catalog: SourceCatalog, { float64As }: SourceOptions): SourceCatalog {
  if (float64As === undefined) return catalog;
  const items = catalog.items.map((item) =>
    item.kind === 'image' ? { ...item, image: { ...item.image, float64As } } : item,
  );
  return { ...catalog, items };
}

async function describe(
  found: FoundSource,
  driver: SourceDriver,
  catalog: SourceCatalog,
  options: SourceOptions,
): Promise<IndexedSource> {
  const { documents, ...place } = found;
  const { name, path } = place;
  await driver.prepare?.(path);
  const encoders = await loadCatalogEncoders();
  const rootName = basename(path).replace(/(?:\.ome)?\.[^.]*$/, '') || basename(path);
  const laidOut = await whenReady(() => {
    using open = new OpenedOnce(driver, path, catalog);
    return CatalogFiles.of(catalog, encoders, rootName, () => open.source, options);
  });
  if (laidOut.files.length + laidOut.families.length === 0 && catalog.warnings.length === 0)
    throw new UnreadableSourceError(path, `${catalog.title}, but nothing in it can be shown`, {
      advice: 'name a file or store that holds arrays',
    });
  const { files, families, zarrs } = laidOut;
  const warnings = warningsOf(name, catalog, laidOut);
  const versions = documents && { itemVersions: itemVersions(catalog, documents) };
  return { ...place, ...versions, driver: driver.id, catalog, files, families, zarrs, warnings };
}

function warningsOf(name: string, catalog: SourceCatalog, laidOut: SourceFiles): PlateWarning[] {
  const at = (path: string): string => (name === '' ? path : path === '' ? name : `${name}/${path}`);
  const told = (kind: string, all: readonly { path: string; message: string }[]): PlateWarning[] => {
    const shown = all.slice(0, MAX_TOLD).map(({ path, message }) => ({
      kind,
      message: `${at(path) || catalog.title}: ${message}`,
      files: [at(path)],
    }));
    const more = all.length - shown.length;
    return more > 0 ? [...shown, { kind, message: `${more} more of this kind`, files: [] }] : shown;
  };
  return [
    ...told('not-shown', catalog.warnings),
    ...told('not-shown', laidOut.refused),
    ...told(
      'changed-name',
      laidOut.changed.map(({ raw, path }) => ({
        path,
        message: `this is ${JSON.stringify(raw)} of the source, which can't be a file name as it is`,
      })),
    ),
  ];
}

/** A source that is opened when it is first wanted. */
class OpenedOnce implements Disposable {
  readonly #driver: SourceDriver;
  readonly #path: string;
  readonly #catalog: SourceCatalog;
  #source: OpenSource | undefined;

  constructor(driver: SourceDriver, path: string, catalog: SourceCatalog) {
    this.#driver = driver;
    this.#path = path;
    this.#catalog = catalog;
  }

  get source(): OpenSource {
    this.#source ??= this.#driver.openSync?.(this.#path, this.#catalog);
    if (!this.#source) throw new Error(`the driver ${this.#driver.id} opens nothing`);
    return this.#source;
  }

  [Symbol.dispose](): void {
    this.#source?.[Symbol.dispose]();
  }
}

/** What tells a file from its later versions: it has another one as soon as its bytes may differ. */
export function fileVersion(path: string): { readonly version: string; readonly mtimeMs: number } {
  const stat = statSync(path, { bigint: true });
  return { version: fileIdentity(stat), mtimeMs: Number(stat.mtimeNs) / 1e6 };
}
