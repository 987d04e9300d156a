import { basename, dirname, join } from 'node:path';
import { itemSizeBytes } from '../core/nd-array.ts';
import type { LandingFormat } from '../model/landing-format.ts';
import type { ArrayFormat, PlaneIndex } from './array-format.ts';
import { nameExists } from './atomic-json.ts';
import { planesPerChunk } from './chunk-planes.ts';
import { grown } from './grown-image.ts';
import { downsamplingOf, type ImageLevels, levelCount } from './image-levels.ts';
import { isLabel, labelName, sourceOfLabel } from './label-images.ts';
import { loadSidecar } from './landed-image.ts';
import { type ImageLanding, LANDED_PATH, STORE_NAME, VERBATIM_PATH } from './landing.ts';
import type { ImageJob, Inspection } from './landing-job.ts';
import { imagePath, type PlatePlacement, platePlacement, tableName, wellPath } from './placement.ts';
import { choosePlainPath, isRecordedFile, readPlainRecord } from './plain-placement.ts';
import type { ResultImage } from './result-image.ts';
import type { ResultStore } from './result-store.ts';
import type { SealedFile } from './sealed-file.ts';
import type { TableJob } from './stage-table.ts';
import { isTableName } from './table-text.ts';
import { factsOf, WHOLE_IMAGE, writtenFile } from './written-planes.ts';

type ImageInspection = Extract<Inspection, { kind: 'image' }>;

/** Where one file of a batch goes. */
export type Decision = PlainDecision | ImageDecision;

export interface PlainDecision {
  readonly kind: 'plain';
  readonly file: SealedFile;
  readonly path: string;
  readonly stagedPath: string;
  /** The table that is to be written of it, if it is one, and where it goes below the store. */
  readonly table?: { readonly path: string; readonly job: TableJob };
  /** The table of the store that an earlier file at this path left. */
  readonly formerTable?: string;
  readonly note?: string;
}

export interface ImageDecision {
  readonly kind: 'image';
  readonly file: SealedFile;
  readonly placement: ImageLanding['placement'];
  /** The image as it is once this file is in it. */
  readonly image: ResultImage;
  /** Folder that becomes the image group, when the image is new. */
  readonly stagedImage: string | undefined;
  readonly sidecar: string;
  readonly verbatim: string;
  readonly job: ImageJob;
  /** Pages that can be staged apart from one another. */
  readonly pages: number;
  /** Whether planes can be cut out of the file without decoding. */
  readonly isStoredPlainly: boolean;
  readonly note?: string;
}

export interface PlanContext {
  readonly outputDir: string;
  readonly stagingDir: string;
  readonly store: ResultStore;
  /** Of images that are not there yet. */
  readonly format: LandingFormat;
  /** Whether what landed there may be replaced by what a file lands. */
  readonly isFree: (record: LandedOwner, file: LandedOwner) => boolean;
  /** A mount, for people, by its id. */
  readonly describe: (owner: string) => string;
}

/** Who landed something. */
export interface LandedOwner {
  readonly inode: number;
  readonly owner?: string;
}

/** Decides for the files of one batch, in their order, so that no two get the same place. */
export class LandingPlan {
  private readonly context: PlanContext;
  private readonly claimed = new Set<string>();
  /** New images of this batch by well, group and site, and by path. */
  private readonly newFields = new Map<string, { image: ResultImage; stagedImage: string }>();
  /** Extents along t, c, z of the fields of this batch. */
  private readonly expected = new Map<string, PlaneIndex>();
  private count = 0;

  constructor(context: PlanContext) {
    this.context = context;
  }

  /** Tells of a file of the batch before the first is decided: what a new field's chunk files hold depends on all. */
  expect(file: SealedFile, inspection: Inspection): void {
    const placement = platePlacement(file.mountPath);
    if (inspection.kind === 'plain' || !placement) return;
    const key = fieldKey(placement);
    const known = this.expected.get(key) ?? [0, 0, 0];
    const extent = (axis: 0 | 1 | 2): number => Math.max(known[axis], placement.index[axis] + 1);
    this.expected.set(key, [extent(0), extent(1), extent(2)]);
  }

  decide(file: SealedFile, inspection: Inspection): Decision {
    if (inspection.kind === 'plain') return this.plain(file, inspection.note);
    const placement = platePlacement(file.mountPath);
    if (!placement) return this.multiscales(file, inspection, undefined);
    const planes = inspection.shape[0] * inspection.shape[1] * inspection.shape[2];
    if (planes !== 1) return this.multiscales(file, inspection, 'it is named like a plane but holds several');
    return this.field(file, inspection, placement);
  }

  plain(file: SealedFile, note: string | undefined): PlainDecision {
    const { outputDir } = this.context;
    const path = choosePlainPath(outputDir, file.mountPath, (candidate) => {
      if (this.claimed.has(candidate)) return false;
      const record = readPlainRecord(outputDir, candidate);
      return record !== undefined && isRecordedFile(outputDir, record) && this.context.isFree(record, file);
    });
    this.claimed.add(path);
    const holder = path === file.mountPath ? undefined : readPlainRecord(outputDir, file.mountPath);
    const by = holder && this.foreign(holder, file);
    const renamed =
      path === file.mountPath
        ? undefined
        : `${file.mountPath} was taken in the output folder${by === undefined ? '' : ` by ${by}${APART}`}`;
    const why = [note, renamed].filter((part) => part !== undefined).join('; ');
    const stagedPath = this.staged();
    const former = readPlainRecord(outputDir, path)?.table;
    return {
      kind: 'plain',
      file,
      path,
      stagedPath,
      ...(isTableName(file.mountPath) ? { table: this.table(file, stagedPath, former) } : {}),
      ...(former === undefined ? {} : { formerTable: former }),
      ...(why === '' ? {} : { note: why }),
    };
  }

  private table(
    file: SealedFile,
    stagedPath: string,
    former: string | undefined,
  ): NonNullable<PlainDecision['table']> {
    const { store, format } = this.context;
    const path = former ?? store.freeTablePath(tableName(file.mountPath), this.claimed);
    this.claimed.add(path);
    const { codec = { name: 'blosc-lz4' } } = format;
    const own = { version: 1, written: { [WHOLE_IMAGE]: writtenFile(file) } };
    const job = { stagedFolder: `${stagedPath}.table`, format: { version: store.version, codec }, own };
    return { path, job };
  }

  private field(file: SealedFile, inspection: ImageInspection, placement: PlatePlacement): Decision {
    const { store, stagingDir } = this.context;
    const well = wellPath(placement.well);
    const key = fieldKey(placement);
    const fresh = this.newFields.get(key);
    const known = fresh?.image ?? this.knownField(well, placement, isLabel(file.mountPath, inspection.dtype));
    const [, , , height, width] = inspection.shape;
    if (
      known &&
      (known.dtype !== inspection.dtype || known.shape[3] !== height || known.shape[4] !== width)
    ) {
      const [, , , knownHeight, knownWidth] = known.shape;
      const why = `its field has ${knownWidth} × ${knownHeight} ${known.dtype}, it has ${width} × ${height} ${inspection.dtype}`;
      return this.multiscales(file, inspection, why);
    }
    const labelled = known ? undefined : this.labelledBy(file, inspection, placement);
    const taken = new Set([...this.newFields.values()].map((entry) => entry.image.path));
    const path =
      known?.path ??
      (labelled
        ? store.freeLabelPath(labelled.path, labelName(placement), taken)
        : store.freeImagePath(well, taken));
    const isInImage = known?.isLabel ?? labelled !== undefined;
    // Apart from the records of the image that they lie below.
    const record = `${isInImage ? 'labels' : 'images'}/${path}/${placement.index.join('.')}`;
    if (!this.mayLand(record, file)) {
      const by = this.foreign(this.ownerOf(record) ?? file, file);
      const why = `${by ?? 'another file'} has its place on the plate${by === undefined ? '' : APART}`;
      return this.multiscales(file, inspection, why);
    }
    const stagedImage = known ? fresh?.stagedImage : join(stagingDir, `image${this.count++}`);
    const image = grown(
      known ?? {
        path,
        dtype: inspection.dtype,
        format: this.newFormat(this.expected.get(key) ?? [1, 1, 1], inspection),
        levels: labelled
          ? { count: labelled.levels.count, downsampling: 'nearest' }
          : this.newLevels(file, inspection),
        shape: [0, 0, 0, height, width],
        group: placement.group,
        site: placement.site,
        ...(labelled ? { isLabel: true } : this.newLayout(placement)),
        channelNames: {},
        channelColors: {},
        // Its pixels are those of the image.
        facts: labelled?.facts ?? {},
        ...(store.plate === undefined ? {} : { plate: store.plate }),
        written: {},
      },
      placement.index,
      factsOf(inspection.facts, file.origin, [height, width]),
      writtenFile(file),
    );
    if (stagedImage !== undefined) this.newFields.set(key, { image, stagedImage });
    const kind = isInImage ? 'label' : 'plate';
    return this.imageDecision(file, kind, image, stagedImage, record, placement.index, inspection, undefined);
  }

  /** The planes of one folder are named in their arrays, which Zarr v2 only is read for. */
  private newLayout({ folder, suffix }: PlatePlacement): { readonly layout?: 'openhcs' } {
    const { store, format } = this.context;
    const isWanted = format.layout === 'openhcs' && store.version === '0.4' && suffix === '';
    return isWanted && store.claimNamedFolder(folder) ? { layout: 'openhcs' } : {};
  }

  /** The field that goes on with a plane: labels go on where their first plane lies. */
  private knownField(
    well: string,
    { group, site }: PlatePlacement,
    mayBeLabel: boolean,
  ): ResultImage | undefined {
    const { store } = this.context;
    return (mayBeLabel ? store.label(well, group, site) : undefined) ?? store.field(well, group, site);
  }

  /** The image of the store, or of this batch, that a new field labels. */
  private labelledBy(
    file: SealedFile,
    { dtype, shape }: ImageInspection,
    placement: PlatePlacement,
  ): ResultImage | undefined {
    if (!isLabel(file.mountPath, dtype)) return undefined;
    const well = wellPath(placement.well);
    const fresh = [...this.newFields.values()]
      .map(({ image }) => image)
      .filter(({ path }) => dirname(path) === well);
    const input = file.origin?.hook?.input.path;
    const madeOf = input === undefined ? undefined : (platePlacement(input)?.group ?? input);
    const fields = [...this.context.store.fields(well), ...fresh];
    return sourceOfLabel(placement, [shape[3], shape[4]], fields, madeOf);
  }

  private multiscales(file: SealedFile, inspection: ImageInspection, why: string | undefined): ImageDecision {
    const { store, stagingDir } = this.context;
    const [t, c, z] = inspection.shape;
    for (let attempt = 1; ; attempt++) {
      const path = imagePath(file.mountPath, attempt);
      const record = `images/${path}/image`;
      const isTaken = nameExists(join(store.path, path)) && !this.hasRecord(record);
      if (isTaken || !this.mayLand(record, file)) continue;
      const known = factsOf(inspection.facts, file.origin, [inspection.shape[3], inspection.shape[4]]);
      const { channelName, channelColor, channels = [], ...facts } = known;
      const own =
        c === 1 ? [{ name: channelName, color: channelColor }] : channels.length === c ? channels : [];
      const image: ResultImage = {
        path,
        dtype: inspection.dtype,
        format: this.newFormat([t, c, z], inspection),
        levels: this.newLevels(file, inspection),
        shape: inspection.shape,
        channelNames: byIndex(own.map(({ name }) => name)),
        channelColors: byIndex(own.map(({ color }) => color)),
        facts,
        written: { [WHOLE_IMAGE]: writtenFile(file) },
      };
      const stagedImage = join(stagingDir, `image${this.count++}`);
      return this.imageDecision(file, 'multiscales', image, stagedImage, record, [0, 0, 0], inspection, why);
    }
  }

  /** The format of an array that is not there yet. Shards are of zarr v3: a store of v2 goes on with files. */
  private newFormat(extents: PlaneIndex, { dtype, shape }: ImageInspection): ArrayFormat {
    const { store, format } = this.context;
    const { chunks = 'file', codec = { name: 'blosc-lz4' } } = format;
    const strategy = chunks === 'sharded' && store.version === '0.4' ? 'file' : chunks;
    const planes = planesPerChunk(strategy, extents, shape[3] * shape[4] * itemSizeBytes(dtype));
    return { version: store.version, codec, planes, isSharded: strategy === 'sharded' };
  }

  private newLevels({ mountPath }: SealedFile, { dtype, shape }: ImageInspection): ImageLevels {
    const count = levelCount(this.context.format.levels ?? 1, shape);
    return { count, downsampling: downsamplingOf(mountPath, dtype) };
  }

  private imageDecision(
    file: SealedFile,
    placement: ImageDecision['placement'],
    image: ResultImage,
    stagedImage: string | undefined,
    record: string,
    base: PlaneIndex,
    { isStoredPlainly, pages }: ImageInspection,
    note: string | undefined,
  ): ImageDecision {
    const staged = this.staged();
    const extension = /\.[^.]*$/.exec(file.mountPath)?.[0] ?? '.tif';
    const sidecar = `${LANDED_PATH}/${record}.landed`;
    return {
      kind: 'image',
      file,
      placement,
      image,
      stagedImage,
      sidecar,
      verbatim: `${VERBATIM_PATH}/${record}${extension}`,
      pages: isStoredPlainly ? pages : 1,
      isStoredPlainly,
      ...(note === undefined ? {} : { note }),
      job: {
        kind: 'image',
        file,
        format: image.format,
        levels: image.levels,
        array: `${image.path}/0`,
        base,
        ...(stagedImage === undefined ? {} : { chunkRoot: stagedImage }),
        chunkPrefix: `${staged}.chunk`,
        sidecarPath:
          stagedImage === undefined ? `${staged}.landed` : join(`${stagedImage}.landed`, basename(sidecar)),
        verbatimPath: `${staged}${extension}`,
      },
    };
  }

  private staged(): string {
    return join(this.context.stagingDir, String(this.count++));
  }

  private hasRecord(record: string): boolean {
    return nameExists(join(this.context.outputDir, LANDED_PATH, `${record}.landed`));
  }

  /** Claims a place in the store unless another file of the batch, or a living file of the mount, has it. */
  private mayLand(record: string, file: SealedFile): boolean {
    if (this.claimed.has(record)) return false;
    const holder = this.ownerOf(record);
    if (holder && !this.context.isFree(holder, file)) return false;
    this.claimed.add(record);
    return true;
  }

  private ownerOf(record: string): LandedOwner | undefined {
    const path = join(this.context.outputDir, LANDED_PATH, `${record}.landed`);
    return nameExists(path) ? loadSidecar(path).sidecar : undefined;
  }

  /** Another mount that landed something, for people; undefined where it was this one. */
  private foreign(holder: LandedOwner, file: SealedFile): string | undefined {
    if (holder.owner === undefined || holder.owner === file.owner) return undefined;
    return this.context.describe(holder.owner);
  }
}

/** What to do about another mount's results. */
const APART = '; to keep the names apart, give one of the two another --output';

/** What is known, by index. */
const byIndex = (values: readonly (string | undefined)[]): Record<string, string> =>
  Object.fromEntries(
    [...values.entries()].flatMap(([index, value]) => (value === undefined ? [] : [[index, value]])),
  );

const fieldKey = ({ well, group, site }: PlatePlacement): string =>
  JSON.stringify([wellPath(well), group, site]);

/** Path of a landed image's group below the output folder. */
export const groupPath = (image: ResultImage): string => `${STORE_NAME}/${image.path}`;
