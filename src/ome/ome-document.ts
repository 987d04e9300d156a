/**
 * What PlateFS takes of an OME-XML document: OME schema 2016-06 and those before it, which lack units and mean µm,
 * nm and s (https://docs.openmicroscopy.org/ome-model/latest/ome-tiff/specification.html).
 */
export interface OmeDocument {
  /** The document's own, which other files refer to. */
  readonly uuid?: string;
  /** Of a BinaryOnly document: the file that holds the metadata, as it is written there. */
  readonly metadataFile?: string;
  readonly images: readonly OmeImage[];
  readonly plates: readonly OmePlate[];
  /** Files that TiffData elements name. */
  readonly files: readonly OmeFile[];
}

/** A file as a TiffData's UUID element names it. */
export interface OmeFile {
  readonly name?: string;
  readonly uuid?: string;
}

export interface OmeChannel {
  readonly name?: string;
  readonly emissionNm?: number;
  readonly excitationNm?: number;
  /** Samples of a pixel that the channel stands for: 3 for RGB. */
  readonly samples: number;
}

/** In {@link TiffDataColumns}: the attribute is not there, or the file is the document's own. */
export const NOT_SAID = -1;

/** TiffData elements in their order, one value per element. */
export interface TiffDataColumns {
  readonly ifds: number[];
  readonly counts: number[];
  readonly firstCs: number[];
  readonly firstZs: number[];
  readonly firstTs: number[];
  /** Index into the document's `files`, or {@link NOT_SAID} for the document's own file. */
  readonly files: number[];
}

/** What Plane elements measure, one value per element; NaN for what one lacks. */
export interface PlaneColumns {
  readonly cs: number[];
  readonly zs: number[];
  readonly ts: number[];
  readonly xsUm: number[];
  readonly ysUm: number[];
  readonly zsUm: number[];
  readonly elapsedS: number[];
}

export interface OmeImage {
  readonly id: string;
  readonly name?: string;
  readonly sizeX: number;
  readonly sizeY: number;
  readonly sizeZ: number;
  readonly sizeC: number;
  readonly sizeT: number;
  /** The axes behind XY, the first varying fastest: `ZCT`. */
  readonly order: string;
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
  readonly zSpacingUm?: number;
  readonly timeIntervalS?: number;
  readonly channels: readonly OmeChannel[];
  readonly tiffData: TiffDataColumns;
  readonly planes: PlaneColumns;
  /** What an image lacks to be shown, for messages. */
  readonly fault?: string;
}

export interface OmeWellSample {
  readonly image: string;
  /** The order of samples in a well; by the document where it isn't said. */
  readonly index?: number;
}

export interface OmeWell {
  /** From 0; undefined where the document has no usable one. */
  readonly row?: number;
  readonly column?: number;
  readonly samples: readonly OmeWellSample[];
}

export interface OmePlate {
  readonly id: string;
  readonly name?: string;
  readonly rows?: number;
  readonly columns?: number;
  readonly wells: readonly OmeWell[];
}
