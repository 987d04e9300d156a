import type { Dtype } from '../core/nd-array.ts';
import type { SumsOfUnits } from '../core/unit-sums.ts';
import type { ChunkCodec } from '../model/landing-format.ts';
import type { ArrayFormat, PlaneIndex, StoredArray } from './array-format.ts';
import type { GrowingCursor } from './growing-pages.ts';
import type { ImageLevels } from './image-levels.ts';
import type { SealedFile } from './sealed-file.ts';
import type { TableJob, TableReport } from './stage-table.ts';
import type { TiffFacts } from './tiff-facts.ts';

/** What crosses between the thread that decides and the workers that read, encode and write. Plain data. */
export type LandingJob =
  | { readonly kind: 'inspect'; readonly files: readonly SealedFile[] }
  | PlainJob
  | ImageJob
  | PagesJob
  | AheadJob
  | PackJob
  /** `descriptor` is of the output folder, opened before anything was staged. */
  | { readonly kind: 'sync'; readonly descriptor: number; readonly files: readonly string[] };

export interface PlainJob {
  readonly kind: 'plain';
  readonly file: SealedFile;
  readonly stagedPath: string;
  /** What is written of it besides, if it is a table. */
  readonly table?: TableJob;
}

export interface ImageJob {
  readonly kind: 'image';
  readonly file: SealedFile;
  readonly format: ArrayFormat;
  readonly levels: ImageLevels;
  /** Array path below the store, for the sidecar. */
  readonly array: string;
  /** Index of the first plane. */
  readonly base: PlaneIndex;
  /**
   * Chunks go to `<chunkRoot>/<level>/<key>` when a whole image is staged, else to `<chunkPrefix>.<level>.<number>`. Planes
   * that are yet to be put together with others are staged there too: encoded for a shard, else as they are.
   */
  readonly chunkRoot?: string;
  readonly chunkPrefix: string;
  readonly sidecarPath: string;
  readonly verbatimPath: string;
  /** What {@link PagesJob}s have staged of it: all pages, in their order. */
  readonly staged?: StagedPlanes;
}

/** Stages pages `from` to `to`, excluded, of an uncompressed image: several workers share a large file. */
export interface PagesJob {
  readonly kind: 'pages';
  readonly image: ImageJob;
  readonly from: number;
  readonly to: number;
  /** Pages that were staged while the file was written: taken where the file has them still. */
  readonly ahead?: readonly AheadPage[];
}

/** Stages pages of a TIFF that is still written: those that are all there, from a place in the file on. */
export interface AheadJob {
  readonly kind: 'ahead';
  /** As it is now. What of it is changed while the job runs is known to whoever asks. */
  readonly file: SealedFile;
  readonly cursor: GrowingCursor;
  readonly codec: ChunkCodec;
  readonly isSharded: boolean;
  readonly levels: number | 'auto';
  /** Chunks go to `<prefix>.<level>.<number>`. */
  readonly prefix: string;
}

/** A page that was staged while its file was written. */
export interface AheadPage {
  /** {@link pageKey} of it. */
  readonly key: string;
  /** The stretch of the file that its pixels lie in. */
  readonly from: number;
  readonly to: number;
  /** Of the units that lie in the stretch with all their bytes, as they were. */
  readonly sums: SumsOfUnits;
  readonly planes: readonly StagedChunk[];
  readonly lower: readonly StagedChunk[];
  readonly givesFileBack: boolean;
}

export interface AheadReport {
  readonly pages: readonly AheadPage[];
  readonly levels: ImageLevels | undefined;
  readonly cursor: GrowingCursor;
  /** Whether more of the file may be there already. */
  readonly hasMore: boolean;
}

export interface StagedPlanes {
  /** Of the full resolution, in the order of pages and samples; the levels below it. */
  readonly planes: readonly StagedChunk[];
  readonly lower: readonly StagedChunk[];
  /** Whether the planes give every pixel of the file back byte for byte. */
  readonly givesFileBack: boolean;
}

export interface StagedChunk extends StagedPlane {
  /** Of what was staged. */
  readonly crc32: number;
}

/** What a file is. `plain` with a note is a TIFF that can't be an image, and why. */
export type Inspection =
  | { readonly kind: 'plain'; readonly note?: string }
  | {
      readonly kind: 'image';
      readonly dtype: Dtype;
      readonly shape: readonly [t: number, c: number, z: number, y: number, x: number];
      readonly pages: number;
      /** Whether planes can be cut out of the file without decoding. */
      readonly isStoredPlainly: boolean;
      readonly facts: TiffFacts;
    };

export interface PlainReport {
  readonly crc32: number;
  /** Inode of the staged file on the output's file system. */
  readonly diskInode: number;
  /** Where its name says that it is one. */
  readonly table?: TableReport;
}

export interface ImageReport {
  readonly id: string;
  readonly exactness: 'reassembled' | 'verbatim';
  /** Why it is kept as a copy. */
  readonly reason?: string;
  readonly chunks: readonly StagedPlane[];
}

/** A staged chunk, or a plane of one, of a level of the image. */
export interface StagedPlane {
  readonly stagedPath: string;
  readonly level: number;
  readonly index: PlaneIndex;
  /** Of its chunk file, below the level's array. */
  readonly key: string;
}

/** Puts planes together into a chunk file, with those of the one that is there. */
export interface PackJob {
  readonly kind: 'pack';
  readonly array: StoredArray;
  readonly existingPath?: string;
  readonly stagedPath: string;
  readonly put: readonly { readonly index: PlaneIndex; readonly path: string }[];
  /** Planes of the chunk file that is there, to be left out. */
  readonly dropped: readonly PlaneIndex[];
}

export interface PackReport {
  /** No plane is left. */
  readonly isEmpty: boolean;
}

export interface SyncReport {
  /** Files that could not be made durable, with the system's error code. */
  readonly failed: readonly { readonly path: string; readonly code: string }[];
}

/** An error as it crosses threads. */
export interface JobFailure {
  readonly code: string | undefined;
  readonly message: string;
  /** The TIFF can't be decoded after all: land it as a plain file. */
  readonly isUndecodable: boolean;
}

export type JobReport<J extends LandingJob> = J extends { kind: 'inspect' }
  ? readonly Inspection[]
  : J extends { kind: 'plain' }
    ? PlainReport
    : J extends { kind: 'image' }
      ? ImageReport
      : J extends { kind: 'pages' }
        ? StagedPlanes
        : J extends { kind: 'ahead' }
          ? AheadReport
          : J extends { kind: 'pack' }
            ? PackReport
            : SyncReport;

/** A worker's answer to one job. */
export type JobAnswer = { readonly report: JobReport<LandingJob> } | { readonly failure: JobFailure };
