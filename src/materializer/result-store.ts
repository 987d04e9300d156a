import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BadZarrError } from '../core/errors.ts';
import type { OutputLayout } from '../model/landing-format.ts';
import { NGFF_VERSIONS, type NgffVersion } from '../model/ngff.ts';
import { isObject, type JsonObject, nameExists, readJson } from './atomic-json.ts';
import { attributesName, groupDocuments, readGroup } from './group-documents.ts';
import { type PlateContent, plateAttributes, wellAttributes } from './ngff.ts';
import { namedFolder, OPENHCS_METADATA, openhcsDocument } from './openhcs-layout.ts';
import { type ResultImage, readResultImage } from './result-image.ts';
import { imageFiles, type MetadataFile, metadataFiles } from './store-documents.ts';
import { StoreLabels } from './store-labels.ts';
import { StoreTables } from './store-tables.ts';

interface Well {
  /** Images that the well's metadata names, by path below the store. */
  readonly listed: Map<string, { image: ResultImage; acquisition: number }>;
  /** Whole images that a crash left unnamed. */
  readonly unlisted: Map<string, ResultImage>;
}

/**
 * What `results.ome.zarr` holds, by its own metadata: wells are read when they are first needed. Does not write;
 * {@link metadata} says what has to be written for the images it was told of.
 */
export class ResultStore {
  readonly path: string;
  private readonly wanted: NgffVersion;
  private readonly layout: OutputLayout;
  /** The folder of the mount whose planes arrays name, in the layout for OpenHCS. */
  private folder: string | undefined;
  private readonly source: string | undefined;
  /** The source that the store was begun with; undefined for one of which nobody said it. */
  private founder: string | undefined;
  private current: NgffVersion;
  private readonly wells = new Map<string, Well>();
  private readonly labels: StoreLabels;
  private readonly tables: StoreTables;
  private readonly listedWells = new Set<string>();
  private readonly acquisitions = new Map<string, number>();
  private readonly maximumFields = new Map<string, number>();

  /**
   * @param wanted - the version of a store that is yet to be made.
   * @param source - what results are of: those of different sources are different fields.
   * @param layout - what stands beside it.
   * @throws BadZarrError when the folder holds a store that PlateFS did not write.
   */
  constructor(path: string, wanted: NgffVersion = '0.4', source?: string, layout: OutputLayout = 'plate') {
    this.path = path;
    this.wanted = wanted;
    this.source = source;
    this.layout = layout;
    this.current = wanted;
    this.labels = new StoreLabels(path);
    this.tables = new StoreTables(path);
    this.reload();
  }

  /** The version that the whole store follows: its own once it is there. */
  get version(): NgffVersion {
    return this.current;
  }

  /** Forgets everything and reads the store again, after metadata could not be written. */
  reload(): void {
    for (const known of [this.wells, this.listedWells, this.acquisitions, this.maximumFields]) known.clear();
    this.labels.reload();
    this.folder = this.layout === 'openhcs' ? namedFolder(this.openhcs()) : undefined;
    this.tables.reload();
    const found = NGFF_VERSIONS.find((version) => nameExists(`${this.path}/${attributesName(version)}`));
    this.current = found ?? this.wanted;
    this.founder = this.source;
    if (found === undefined) {
      // A crash before the first metadata leaves folders of images; anything else is not ours.
      if (nameExists(`${this.path}/.zarray`)) throw foreignStore(this.path);
      return;
    }
    const attributes = readGroup(found, this.path);
    if (!attributes?.platefs) throw foreignStore(this.path);
    const { ngff, platefs } = attributes;
    this.founder = typeof platefs['source'] === 'string' ? platefs['source'] : undefined;
    const plate = isObject(ngff['plate']) ? ngff['plate'] : {};
    const list = (name: string): unknown[] => (Array.isArray(plate[name]) ? plate[name] : []);
    for (const well of list('wells'))
      if (isObject(well) && typeof well['path'] === 'string') this.listedWells.add(well['path']);
    for (const entry of list('acquisitions')) {
      if (!isObject(entry)) continue;
      const { id, name, maximumfieldcount } = entry;
      if (typeof id !== 'number' || typeof name !== 'string') continue;
      this.acquisitions.set(name, id);
      this.maximumFields.set(name, typeof maximumfieldcount === 'number' ? maximumfieldcount : 0);
    }
  }

  /** What tells new fields from those that the store was begun with; undefined where they are of the same source. */
  get plate(): string | undefined {
    return this.founder === undefined || this.founder === this.source ? undefined : this.source;
  }

  /** The image of a field, named by the well or left by a crash; undefined when there is none. */
  field(wellPath: string, group: string, site: number): ResultImage | undefined {
    return this.fields(wellPath).find((image) => image.group === group && image.site === site);
  }

  /** All fields of a well that are of our source, labels that are images of their own among them. */
  fields(wellPath: string): ResultImage[] {
    const well = this.well(wellPath);
    const all = [...[...well.listed.values()].map((entry) => entry.image), ...well.unlisted.values()];
    return all.filter((image) => image.plate === this.plate);
  }

  /** The labels of a group and site that lie below an image of the well; undefined when there are none. */
  label(wellPath: string, group: string, site: number): ResultImage | undefined {
    return this.fields(wellPath)
      .flatMap(({ path }) => this.labels.of(this.current, path))
      .find((image) => image.group === group && image.site === site);
  }

  /** Whether labels lie below an image. */
  hasLabels(imagePath: string): boolean {
    return this.labels.has(this.current, imagePath);
  }

  /** A free path for new labels of an image; `taken` are paths promised to others. */
  freeLabelPath(imagePath: string, name: string, taken: ReadonlySet<string>): string {
    return this.labels.freePath(this.current, imagePath, name, taken);
  }

  /** A free name for a new image of a well; `taken` are names promised to others. */
  freeImagePath(wellPath: string, taken: ReadonlySet<string>): string {
    const well = this.well(wellPath);
    for (let number = well.listed.size; ; number++) {
      const path = `${wellPath}/${number}`;
      if (!well.listed.has(path) && !taken.has(path) && !nameExists(`${this.path}/${path}`)) return path;
    }
  }

  /** Whether the planes of a folder are the ones that arrays name: those of the first that asks. */
  claimNamedFolder(folder: string): boolean {
    // Planes of other sources may have the same names.
    if (this.plate !== undefined) return false;
    this.folder ??= folder;
    return this.folder === folder;
  }

  /** What stands beside the store for other readers, as it is to be now; nothing where nothing was asked for. */
  layoutFiles(): MetadataFile[] {
    if (this.layout !== 'openhcs') return [];
    const fields = [...this.listedWells].flatMap((wellPath) => this.fields(wellPath));
    const labels = fields.flatMap(({ path }) => this.labels.of(this.current, path));
    const content = openhcsDocument(
      [...fields, ...labels],
      { folder: this.folder, plate: this.plate },
      this.openhcs(),
    );
    return [{ path: `../${OPENHCS_METADATA}`, content, level: 'plate' }];
  }

  /** @throws BadZarrError when the document is damaged, or an old one that has no subdirectories. */
  private openhcs(): JsonObject | undefined {
    const path = join(dirname(this.path), OPENHCS_METADATA);
    const document = readJson(path);
    if (document && !isObject(document['subdirectories']))
      throw new BadZarrError(path, "has no 'subdirectories'", {
        advice: 'move it away, or name another folder with --output',
      });
    return document;
  }

  /** A free path for a new table; `taken` are paths promised to others. */
  freeTablePath(name: string, taken: ReadonlySet<string>): string {
    return this.tables.freePath(this.current, name, taken);
  }

  /**
   * Takes over fields that were placed or have grown, images and tables, and returns the metadata that makes them
   * visible. After a failure to write it, the store has to be loaded anew.
   */
  admit(
    fields: readonly ResultImage[],
    images: readonly ResultImage[],
    tables: readonly string[] = [],
  ): MetadataFile[] {
    const files = tables.length > 0 ? this.tables.admit(this.current, tables) : [];
    const touched = new Set<string>();
    const before = new Set(this.listedWells);
    for (const image of fields) {
      if (image.isLabel) {
        files.push(...imageFiles(image), ...this.labels.admit(this.current, image));
        continue;
      }
      const wellPath = dirname(image.path);
      const well = this.well(wellPath);
      const acquisition = this.acquisition(image);
      well.unlisted.delete(image.path);
      well.listed.set(image.path, { image, acquisition });
      touched.add(wellPath);
      files.push(...imageFiles(image));
    }
    for (const image of images) {
      for (let folder = dirname(image.path); folder !== '.'; folder = dirname(folder)) {
        files.push(...this.groupFiles(folder));
      }
      files.push(...imageFiles(image));
    }
    for (const wellPath of touched) files.push(...this.wellFiles(wellPath));
    // Wells that the plate names already may not name an acquisition before it does.
    if (touched.isDisjointFrom(before)) return [...files, ...this.plateFiles()];
    const plate = this.plateFiles(before, 'acquisitions');
    return [...files, ...plate, ...(before.size < this.listedWells.size ? this.plateFiles() : [])];
  }

  /** Takes tables out and returns the metadata to write before their folders are removed. */
  dismissTables(paths: readonly string[]): MetadataFile[] {
    return this.tables.dismiss(this.current, paths);
  }

  /** Takes labels of an image out and returns the metadata to write before their folder is removed. */
  dismissLabel(path: string): MetadataFile[] {
    return this.labels.dismiss(this.current, path);
  }

  /** Takes a field out and returns the metadata to write before its folder is removed. */
  dismiss(path: string): MetadataFile[] {
    const wellPath = dirname(path);
    const well = this.well(wellPath);
    this.labels.forget(path);
    if (!well.listed.delete(path)) return [];
    if (well.listed.size > 0) return this.wellFiles(wellPath);
    this.wells.delete(wellPath);
    this.listedWells.delete(wellPath);
    return this.plateFiles();
  }

  private wellFiles(wellPath: string): MetadataFile[] {
    const well = this.well(wellPath);
    const images = [...well.listed].map(([path, { acquisition }]) => ({ path: basename(path), acquisition }));
    const isNew = !this.listedWells.has(wellPath);
    this.listedWells.add(wellPath);
    for (const [name, id] of this.acquisitions) {
      const fields = images.filter((image) => image.acquisition === id).length;
      this.maximumFields.set(name, Math.max(fields, this.maximumFields.get(name) ?? 0));
    }
    const documents = groupDocuments(this.current, wellAttributes(images, this.current));
    if (!isNew)
      return metadataFiles(
        wellPath,
        documents.filter(({ name }) => name === attributesName(this.current)),
        () => 'well',
      );
    // Nothing names a new well before the plate does: it may appear together with its arrays.
    return [...this.groupFiles(dirname(wellPath)), ...metadataFiles(wellPath, documents, () => 'array')];
  }

  /** Documents of a group without attributes. */
  private groupFiles(path: string): MetadataFile[] {
    return metadataFiles(path, groupDocuments(this.current), () => 'array');
  }

  private plateFiles(
    wells: ReadonlySet<string> = this.listedWells,
    level: 'acquisitions' | 'plate' = 'plate',
  ): MetadataFile[] {
    const plate: PlateContent = {
      name: 'results',
      wells: [...wells],
      fieldCount: Math.max(0, ...this.maximumFields.values()),
      acquisitions: [...this.acquisitions].map(([name, id]) => ({
        id,
        name,
        fields: this.maximumFields.get(name) ?? 0,
      })),
    };
    const attributes = plateAttributes(plate, this.current);
    const ngff = attributes === undefined ? {} : { plate: attributes };
    const own = { version: 1, ...(this.founder === undefined ? {} : { source: this.founder }) };
    return metadataFiles('', groupDocuments(this.current, ngff, own), (name) =>
      name === attributesName(this.current) ? level : 'array',
    );
  }

  private acquisition({ group: folder = '.', plate }: ResultImage): number {
    const group = plate === undefined ? folder : `${folder} of ${plate}`;
    const known = this.acquisitions.get(group);
    if (known !== undefined) return known;
    const id = Math.max(-1, ...this.acquisitions.values()) + 1;
    this.acquisitions.set(group, id);
    return id;
  }

  private well(wellPath: string): Well {
    const known = this.wells.get(wellPath);
    if (known) return known;
    const well: Well = { listed: new Map(), unlisted: new Map() };
    this.wells.set(wellPath, well);
    const folder = `${this.path}/${wellPath}`;
    if (!nameExists(folder)) return well;
    const attributes = readGroup(this.current, folder)?.ngff['well'];
    const entries: unknown[] =
      isObject(attributes) && Array.isArray(attributes['images']) ? attributes['images'] : [];
    const acquisitions = new Map(
      entries.flatMap((entry): [string, number][] =>
        isObject(entry) && typeof entry['path'] === 'string' && typeof entry['acquisition'] === 'number'
          ? [[entry['path'], entry['acquisition']]]
          : [],
      ),
    );
    for (const name of readdirSync(folder)) {
      if (!/^\d+$/.test(name)) continue;
      const path = `${wellPath}/${name}`;
      const image = readResultImage(this.current, this.path, path);
      if (!image) continue;
      const acquisition = acquisitions.get(name);
      if (acquisition === undefined) well.unlisted.set(path, image);
      else well.listed.set(path, { image, acquisition });
    }
    return well;
  }
}

function foreignStore(path: string): BadZarrError {
  return new BadZarrError(path, 'this store was not written by PlateFS', {
    advice: 'move it away, or name another folder with --output',
  });
}
