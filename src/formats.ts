import type { PlateIndex } from './model/plate-index.ts';

/** How sure a handler is that a folder is its kind of plate. */
export type Confidence = 'no' | 'maybe' | 'certain';

export interface Detection {
  readonly confidence: Confidence;
  /** For people: what was seen (`9987.HTD and TimePoint_1/`), or what was missed. */
  readonly reason: string;
  /** Absolute path of the plate's root, where it lies below the folder asked about. */
  readonly root?: string;
}

export interface IndexOptions {
  /**
   * The same plate as it was indexed before: directories that have not changed since need not be read again. What
   * else changed is for the handler to find out.
   */
  readonly previous?: PlateIndex;
  /** Follow symbolic links that lead out of the plate; else what they lead to is left aside, with a warning. */
  readonly followLinks?: boolean;
  /** Where the plate is being mounted: no link that leads there, or above it, is followed. */
  readonly mountpoint?: string;
  /** Called now and then with what is done so far. */
  readonly onProgress?: (progress: { readonly files: number; readonly directories: number }) => void;
}

/**
 * Port: one microscope's way to lay out a plate. Reads names and metadata, never pixels. A handler tells its
 * files apart by the metadata first, the name grammar second and folder names third, and reports every
 * disagreement as a warning of the index.
 */
export interface FormatHandler {
  /** Stable lower-case id, equal to the file's name. */
  readonly id: string;
  /** Name for people: `ImageXpress / MetaXpress`. */
  readonly title: string;
  /**
   * Looks at the folder, and a few levels below it, without reading pixels.
   * @throws UnreadableSourceError when the folder can't be read.
   */
  detect(folder: string, signal: AbortSignal): Promise<Detection>;
  /**
   * Indexes the plate whose root `detect` returned.
   * @throws UnreadableSourceError, BadMetadataError, CancelledError
   */
  index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex>;
}
