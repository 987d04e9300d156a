import type { SourceScope } from './indexed-source.ts';

/** Facts about one channel. A fact the metadata lacks is absent, never guessed. */
export interface ChannelFacts {
  /** Channel number as in names (`w1` → 1). */
  readonly number: number;
  readonly name?: string;
  /** Emission wavelength in nm. */
  readonly emissionNm?: number;
  /** Excitation wavelength in nm. */
  readonly excitationNm?: number;
  /** To be shown in: hexadecimal RGB, `00FFFF`. */
  readonly color?: string;
  /**
   * The instrument's own description of the illumination field, as it is written (Harmony: the text of
   * `FlatfieldProfile`, `{Background: {…}, Channel: 1, …}`), for a correction to read.
   */
  readonly flatField?: string;
}

/** Facts about a plate. A fact the metadata lacks is absent, never guessed. */
export interface PlateFacts {
  readonly name: string;
  /** The format handler's id, `imagexpress`. */
  readonly format: string;
  /** One line for people: the shape that was found, `MetaXpress export with HTD`. */
  readonly formatDetail: string;
  /** The user's template by which names were read, where one was. */
  readonly layout?: string;
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
  readonly zSpacingUm?: number;
  readonly timeIntervalS?: number;
  readonly channels: readonly ChannelFacts[];
  /** Fields per well as laid out by the instrument. */
  readonly grid?: { readonly rows: number; readonly columns: number };
  readonly plateRows?: number;
  readonly plateColumns?: number;
  /** Values a metadata file declares that names alone don't show, for `inspect`. */
  readonly declared?: Readonly<Record<string, string | number | boolean>>;
}

/** Something a user should know about the plate. `files` are plate-relative paths. */
export interface PlateWarning {
  /** A stable word to search for: `name-collision`, `missing-plane`, `contradiction` … */
  readonly kind: string;
  readonly message: string;
  readonly files: readonly string[];
  /** Which rule decided, where one did. */
  readonly rule?: string;
}

/** A file of the plate that is no plane. */
export type ExclusionReason =
  | 'thumbnail'
  | 'metadata'
  | 'junk'
  | 'correction'
  | 'database'
  | 'collision'
  /** Still being written. */
  | 'incomplete'
  /** A vendor's own file format that isn't decoded: see `containerKind`. */
  | 'container'
  | 'other';

/** Another format's description of a plate. */
export interface PlateDescription {
  /** Id of the format. */
  readonly format: string;
  /** Absolute path of the folder that the description is about: the plate's root, or one above it. */
  readonly root: string;
}

/** What a folder was found to be. */
export interface RecognisedPlate {
  /** Id of the format. */
  readonly format: string;
  /** The plate's root: the folder, or one below. */
  readonly root: string;
  /** For people: what was seen. */
  readonly reason: string;
  /** Those of the formats that gave way to this one. */
  readonly descriptions: readonly PlateDescription[];
  /** Where it is no plate: what it is. */
  readonly scope?: SourceScope;
}
