import type { Dtype } from '../core/nd-array.ts';
import type { ChunkFolders } from './chunk-grid.ts';
import type { IndexedSource, SourceOptions, SourceScope } from './indexed-source.ts';
import type { KindTable } from './kind-table.ts';
import type { PlaneGroups } from './plane-groups.ts';
import type { ExclusionReason, PlateDescription, PlateFacts, PlateWarning } from './plate.ts';

/**
 * A plate's files and planes as columns in shared memory, so that every thread reads the one copy and a
 * million planes stay small (contract C10). Plain data: it crosses to workers by `workerData`.
 *
 * Strings live in `NameTable`s: string `i` is the UTF-8 bytes `starts[i] … starts[i + 1]` of `bytes`.
 * Directory 0 is the plate's root (name ''). Directories are numbered level by level, the children of one
 * directory contiguous and sorted bytewise by name, so `parents` never decreases and children are found by
 * binary search.
 * Files of one directory are contiguous: `directoryFiles[d] … directoryFiles[d + 1]`, sorted bytewise by name.
 * Planes are in natural order of their names: row, column, site, channel, z, t.
 */
export interface PlateIndex {
  /** Version of this layout; a cached index with another one is thrown away. */
  readonly layoutVersion: number;
  /** Absolute path of the plate's root. */
  readonly rootPath: string;
  /** Whether links that lead out of the plate were followed. */
  readonly linksFollowed: boolean;
  /** Formats that describe these files too and gave way to the plate's own; absent where there are none. */
  readonly descriptions?: readonly PlateDescription[];
  /** When indexing began: directories changed shortly before may have changed since unnoticed. Unix time. */
  readonly indexedAtMs: number;
  readonly facts: PlateFacts;
  readonly warnings: readonly PlateWarning[];
  readonly directories: {
    readonly count: number;
    readonly names: NameTable;
    readonly parents: Uint32Array;
    /** `count + 1` entries. */
    readonly firstFile: Uint32Array;
    /** mtime just before the directory was read, in ms; a double still tells 0.25 µs apart. */
    readonly mtimeMs: Float64Array;
    /** With the mtime: is this still the directory that was read? */
    readonly inodes: BigUint64Array;
  };
  readonly files: {
    readonly count: number;
    readonly names: NameTable;
    readonly directories: Uint32Array;
    /** Plane number + 1, or 0 for a file that is no plane. */
    readonly planes: Uint32Array;
    /** Index into `EXCLUSIONS`, meaningful where `planes` is 0. */
    readonly exclusions: Uint8Array;
    /** Size in bytes, or -1 until somebody has looked. Written by whichever thread stats first. */
    readonly sizeBytes: Float64Array;
    /** mtime in ms, meaningful where `sizeBytes` is not -1. */
    readonly mtimeMs: Float64Array;
  };
  readonly planes: {
    readonly count: number;
    readonly files: Uint32Array;
    readonly rows: Uint8Array;
    readonly columns: Uint8Array;
    readonly sites: Uint32Array;
    readonly channels: Uint16Array;
    readonly zs: Uint32Array;
    readonly ts: Uint32Array;
    /** Index into `extensions`. */
    readonly extensions: Uint8Array;
    /**
     * Which image of its file a plane is, in the file's own order from 0, or {@link WHOLE_FILE} where the file is
     * the plane. Of length 0 when every plane is a whole file.
     */
    readonly pages: Uint32Array;
    /** Index into `shapes` plus 1, 0 where only the file says it. Of length 0 when none is known. */
    readonly shapes: Uint8Array;
    /** The instrument's own number of the field, 0 where it has none beside the site. May be of length 0. */
    readonly fieldIds: Uint32Array;
    /** Position in µm as the metadata has it, NaN where it doesn't say. All three may be of length 0. */
    readonly xsUm: Float64Array;
    readonly ysUm: Float64Array;
    readonly zsUm: Float64Array;
    /** Unix time of acquisition in ms, NaN where unknown; and seconds since the first image. Either may be of length 0. */
    readonly acquiredAtMs: Float64Array;
    readonly elapsedS: Float64Array;
  };
  /** Folders of arrays whose chunks are no `files`: there may be many more of them than planes. */
  readonly chunkFolders?: ChunkFolders;
  /** By number of their files; absent where no images of one file are decoded together. */
  readonly planeGroups?: KindTable<PlaneGroups>;
  /** What is mounted where it is no plate; there are no planes then. */
  readonly scope?: SourceScope;
  /** How sources were asked to be shown. */
  readonly sourceOptions?: SourceOptions;
  /** Files and stores that are shown by what they hold. */
  readonly sources?: readonly IndexedSource[];
  /** Shapes of planes that the metadata tells. */
  readonly shapes: readonly PlaneShape[];
  /**
   * Files whose content the facts and warnings were drawn from (HTDs, sampled TIFF headers). Their `sizeBytes`
   * and `mtimeMs` are filled at indexing, so that a cached index can tell whether they changed.
   */
  readonly evidenceFiles: readonly number[];
  /** Extensions of the planes as they are spelt, with the dot: `['.TIF', '.tif']`. */
  readonly extensions: readonly string[];
}

/** Extent and pixel type of a plane. */
export interface PlaneShape {
  readonly width: number;
  readonly height: number;
  readonly dtype: Dtype;
}

/** In `planes.pages`: the file is the plane, and is shown byte for byte. */
export const WHOLE_FILE = 0xffff_ffff;

export interface NameTable {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
}

/** Version of the layout this code reads and writes. */
export const PLATE_INDEX_LAYOUT_VERSION = 8;

/** Order of the codes in `files.exclusions`. */
export const EXCLUSIONS: readonly ExclusionReason[] = [
  'other',
  'thumbnail',
  'metadata',
  'junk',
  'correction',
  'database',
  'collision',
  'incomplete',
  'container',
];
