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

/** What metadata says of the plane that a file is of; absent where it does not. */
export interface PlaneFacts {
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
  /** Not of a projection. */
  readonly zSpacingUm?: number;
  readonly timeIntervalS?: number;
  /** Fields per well as laid out by the instrument; no tag of a TIFF has it. */
  readonly grid?: { readonly rows: number; readonly columns: number };
  /** Of the single channel of a plane. */
  readonly channelName?: string;
  /** Its colour: hexadecimal RGB. */
  readonly channelColor?: string;
}

/** What the plate's own metadata says of the plane that a file is named after. */
export interface PlateOrigin extends PlaneFacts {
  /** Extents of that plane: what is said of pixels holds for a file with as many. */
  readonly width: number;
  readonly height: number;
}

export interface FileOrigin {
  readonly hook?: HookOrigin;
  readonly plate?: PlateOrigin;
}
