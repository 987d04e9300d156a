/** What is known of where a written file comes from. Plain data; what is absent is not known. */

/** The rule that wrote it. */
export interface HookOrigin {
  readonly rule: string;
  /** What it was made of: its path below the mount then, and its size. */
  readonly input: { readonly path: string; readonly sizeBytes: number };
  readonly steps: readonly {
    readonly name: string;
    readonly hook: string;
    readonly params: Readonly<Record<string, unknown>>;
  }[];
}

/** What the plate's own metadata says of the plane that a file is named after. */
export interface PlateOrigin {
  /** Extents of that plane: what is said of pixels holds for a file with as many. */
  readonly width: number;
  readonly height: number;
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
  /** Not of a projection. */
  readonly zSpacingUm?: number;
  readonly timeIntervalS?: number;
  /** Fields per well as laid out by the instrument. */
  readonly grid?: { readonly rows: number; readonly columns: number };
  readonly channelName?: string;
  /** Hexadecimal RGB. */
  readonly channelColor?: string;
}

export interface FileOrigin {
  readonly hook?: HookOrigin;
  readonly plate?: PlateOrigin;
}
