import { known } from '../../core/metadata-values.ts';
import type { PlateFacts } from '../../model/plate.ts';
import type { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import { MAX_WELL_COLUMNS, MAX_WELL_ROWS, wellName } from '../../model/well.ts';
import type { OmeImage, OmePlate, OmeWell } from '../../ome/ome-document.ts';
import type { OmeSource } from './ome-files.ts';
import { WarningTally } from './warning-tally.ts';

/** An image and the field that it is. */
export interface PlacedImage {
  readonly source: OmeSource;
  readonly image: OmeImage;
  /** From 0. */
  readonly row: number;
  readonly column: number;
  /** From 1. */
  readonly site: number;
}

export interface OmePlaces {
  readonly images: readonly PlacedImage[];
  /** A document has a plate (SPW: screen, plate, well). */
  readonly hasPlate: boolean;
  readonly facts: Partial<Pick<PlateFacts, 'name' | 'plateRows' | 'plateColumns'>>;
}

const imageName = ({ id, name }: OmeImage): string => (name === undefined ? id : `${name} (${id})`);

/** The plate of all documents that say the same one; each may hold only some of its wells. */
function isSamePlate(a: OmePlate, b: OmePlate): boolean {
  return a.name === undefined || b.name === undefined ? a.id === b.id : a.name === b.name;
}

interface Sample {
  readonly source: OmeSource;
  readonly image: OmeImage;
  readonly index: number;
}

/** Gathers what the documents say of wells, and gives every image its field. */
class WellGatherer {
  readonly wells = new Map<number, Sample[]>();
  readonly placed = new Set<OmeImage>();
  readonly #dangling = new WarningTally();
  readonly #wellless = new WarningTally();
  readonly #twice = new WarningTally();

  take(source: OmeSource, { wells }: OmePlate): void {
    const images = new Map(source.document.images.map((image) => [image.id, image]));
    for (const well of wells) this.#takeWell(source, well, images);
  }

  #takeWell(source: OmeSource, { row, column, samples }: OmeWell, images: Map<string, OmeImage>): void {
    if (samples.length === 0) return;
    if (row === undefined || column === undefined || row >= MAX_WELL_ROWS || column >= MAX_WELL_COLUMNS) {
      this.#wellless.add(source.path, `row ${row}, column ${column} in ${source.path}`);
      return;
    }
    const key = row * MAX_WELL_COLUMNS + column;
    const gathered = this.wells.get(key) ?? [];
    this.wells.set(key, gathered);
    for (const [at, sample] of samples.entries()) {
      const image = images.get(sample.image);
      const where = `${wellName({ row, column })} in ${source.path}: ${sample.image}`;
      if (!image) this.#dangling.add(source.path, where);
      else if (this.placed.has(image)) this.#twice.add(source.path, where);
      else {
        this.placed.add(image);
        gathered.push({ source, image, index: sample.index ?? at });
      }
    }
  }

  warn(builder: PlateIndexBuilder): void {
    const tell = (tally: WarningTally, one: string, many: string, rule: string): void => {
      for (const warning of tally.tell('bad-metadata', one, many, rule)) builder.addWarning(warning);
    };
    const over = 'it is passed over';
    tell(
      this.#dangling,
      'well refers to an image that its document lacks',
      'wells refer to images that their documents lack',
      over,
    );
    tell(
      this.#wellless,
      'well has no usable row and column',
      'wells have no usable row and column',
      'its images are reachable under source/ only',
    );
    tell(this.#twice, 'image is in a well already', 'images are in wells already', 'the first well decides');
  }
}

/** Images of wells, numbered in each well by their samples' order; of documents in the order they were read. */
function placeInWells(
  sources: readonly OmeSource[],
  plate: OmePlate,
  builder: PlateIndexBuilder,
): PlacedImage[] {
  const gatherer = new WellGatherer();
  const others = new WarningTally();
  for (const source of sources)
    for (const one of source.document.plates) {
      if (isSamePlate(plate, one)) gatherer.take(source, one);
      else others.add(source.path, `${one.name ?? one.id} in ${source.path}`);
    }
  gatherer.warn(builder);
  for (const warning of others.tell(
    'several-plates',
    'more plate is described',
    'more plates are described',
    `only ${plate.name ?? plate.id} is shown; keep each plate in a folder of its own`,
  ))
    builder.addWarning(warning);
  const stray = new WarningTally();
  for (const { document, path } of sources)
    for (const image of document.images)
      if (!gatherer.placed.has(image)) stray.add(path, `${imageName(image)} in ${path}`);
  for (const warning of stray.tell(
    'unplaced-image',
    'image lies in no well of the plate',
    'images lie in no well of the plate',
    'they are reachable under source/ only',
  ))
    builder.addWarning(warning);
  const placed: PlacedImage[] = [];
  for (const [key, samples] of gatherer.wells) {
    // Indices count within a well or over the whole plate, so only their order says anything.
    samples.sort((a, b) => (a.source === b.source ? a.index - b.index : 0));
    const row = Math.floor(key / MAX_WELL_COLUMNS);
    const column = key % MAX_WELL_COLUMNS;
    for (const [i, { source, image }] of samples.entries())
      placed.push({ source, image, row, column, site: i + 1 });
  }
  return placed;
}

/**
 * Gives every image of the documents a well and a field: those of the first plate that refers to images, or,
 * without any plate, fields 1, 2, … of A01 in the order of files and of images in them.
 */
export function placeImages(sources: readonly OmeSource[], builder: PlateIndexBuilder): OmePlaces {
  const plate = sources
    .flatMap(({ document }) => document.plates)
    .find(({ wells }) => wells.some(({ samples }) => samples.length > 0));
  if (plate)
    return {
      images: placeInWells(sources, plate, builder),
      hasPlate: true,
      facts: known({ name: plate.name, plateRows: plate.rows, plateColumns: plate.columns }),
    };
  const images: PlacedImage[] = [];
  for (const source of sources)
    for (const image of source.document.images)
      images.push({ source, image, row: 0, column: 0, site: images.length + 1 });
  return { images, hasPlate: false, facts: {} };
}
