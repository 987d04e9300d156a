import type { PlateIndex } from './model/plate-index.ts';

/** How sure a handler is that a folder is its kind of plate. */
export type Confidence = 'no' | 'maybe' | 'certain';

export interface Detection {
  readonly confidence: Confidence;
  /** For people: what was seen (`9987.HTD and TimePoint_1/`), or what was missed. */
  readonly reason: string;
  /** Absolute path of the plate's root, where it lies below the folder asked about. */
  readonly root?: string;
  /** How this stands to what other handlers see in the same folder; as an equal unless set. */
  readonly standing?: Standing;
  /** Where names have to be explained before the folder can be indexed: how they might be. Never used unasked. */
  readonly proposal?: LayoutProposal;
}

/** What the names of a folder's images might say, drawn from the names alone. */
export interface LayoutProposal {
  /** A layout for `--layout`. */
  readonly template: string;
  /** The parts that vary, in the order of the names. */
  readonly parts: readonly {
    /** As it stands in the template: `{site}`, `*`. */
    readonly token: string;
    /** A few of its texts. */
    readonly examples: readonly string[];
    readonly distinct: number;
    /** Why it was taken for what it is. */
    readonly why: string;
  }[];
  /** A few images, and what each would be called. */
  readonly examples: readonly { readonly path: string; readonly name: string }[];
  /** Images looked at, how many the template reads, and how many of those would share a name with another. */
  readonly images: number;
  readonly matched: number;
  readonly collisions: number;
}

/**
 * `gives-way`: what was seen describes files that another program made. A handler that is certain of them at or below
 * the same root wins, and {@link FormatHandler.compare} tells where the description differs from what it finds.
 * `prevails`: what was seen says whose plate this is, and what others see at or below the same root are its parts.
 */
export type Standing = 'gives-way' | 'prevails';

export interface IndexOptions {
  /**
   * The same plate as it was indexed before: directories that have not changed since need not be read again. What
   * else changed is for the handler to find out.
   */
  readonly previous?: PlateIndex;
  /** What names say, as a template that the user gave: for the handler of folders of unknown origin. */
  readonly layout?: string;
  /** Follow symbolic links that lead out of the plate; else what they lead to is left aside, with a warning. */
  readonly followLinks?: boolean;
  /** Folders in the root that are not to be entered nor listed. */
  readonly leaveOut?: readonly string[];
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
  /** For folders of unknown origin: asked after all others, and takes the layout that a user gives. */
  readonly takesLayout?: true;
  /** For what is no plate: never asked what a folder is, and its indexes have no planes. */
  readonly indexesAnything?: true;
  /**
   * Looks at the folder, and a few levels below it, without reading pixels.
   * @throws UnreadableSourceError when the folder can't be read.
   */
  detect(folder: string, signal: AbortSignal): Promise<Detection>;
  /**
   * Indexes the plate whose root `detect` returned.
   * @throws UnreadableSourceError, BadMetadataError, BadParameterError for a layout, CancelledError
   */
  index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex>;
  /**
   * For a detection that gave way: the index that the other handler made, with a warning for whatever the
   * description at `root` says otherwise. The index's own root is `root` or lies below it.
   * @throws CancelledError; what can't be read is a warning.
   */
  compare?(root: string, index: PlateIndex, signal: AbortSignal): Promise<PlateIndex>;
}
