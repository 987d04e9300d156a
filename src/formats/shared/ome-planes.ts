import { BadParameterError, CancelledError } from '../../core/errors.ts';
import { known } from '../../core/metadata-values.ts';
import type { PlaneDetail } from '../../model/plane-details.ts';
import type { PlaneShape } from '../../model/plate-index.ts';
import { blocksOf, type OmeBlock, planeAt, planeCount } from '../../ome/ome-blocks.ts';
import type { OmeImage } from '../../ome/ome-document.ts';
import type { OmeFiles, OmeSource } from './ome-files.ts';
import type { PlacedImage } from './ome-places.ts';
import { isPlace, type PlaceOfPlane, stemOf } from './plane-place.ts';
import type { PlateSurvey } from './plate-survey.ts';
import type { PageTable } from './tiff-pages.ts';
import { WarningTally } from './warning-tally.ts';

const extensionOf = (path: string): string => path.slice(path.lastIndexOf('.'));

const measured = (value: number | undefined): number | undefined =>
  value === undefined || Number.isNaN(value) ? undefined : value;

/** What the Plane elements of an image say, by plane. */
class PlaneMeasures {
  readonly #image: OmeImage;
  readonly #rows = new Map<number, number>();

  constructor(image: OmeImage) {
    this.#image = image;
    const { cs, zs, ts } = image.planes;
    for (const [i, c] of cs.entries()) this.#rows.set(this.#key(c, zs[i] ?? 0, ts[i] ?? 0), i);
  }

  #key(c: number, z: number, t: number): number {
    return (t * this.#image.sizeZ + z) * this.#image.sizeC + c;
  }

  of(c: number, z: number, t: number): PlaneDetail {
    const row = this.#rows.get(this.#key(c, z, t));
    if (row === undefined) return {};
    const { xsUm, ysUm, zsUm, elapsedS } = this.#image.planes;
    return known({
      xUm: measured(xsUm[row]),
      yUm: measured(ysUm[row]),
      zUm: measured(zsUm[row]),
      elapsedS: measured(elapsedS[row]),
    });
  }
}

/** A TIFF that holds planes. */
interface PlaneFile {
  readonly path: string;
  readonly file: number;
  readonly pages: PageTable;
}

/** Adds the planes of placed images to the index, and tells what of them can't be shown. */
export class OmePlaneAdder {
  readonly #survey: PlateSurvey;
  readonly #files: OmeFiles;
  readonly #signal: AbortSignal;
  /** Pages that are planes already, by file. */
  readonly #taken = new Map<number, Uint8Array>();
  /** Where in a document's own file the next image without TiffData begins. */
  readonly #nextPages = new Map<OmeSource, number>();
  readonly #absent = new WarningTally();
  readonly #repeated = new WarningTally();
  readonly #outside = new WarningTally();
  readonly #unusable = new WarningTally();
  readonly #colours = new WarningTally();
  readonly #otherShapes = new WarningTally();

  constructor(survey: PlateSurvey, files: OmeFiles, signal: AbortSignal) {
    this.#survey = survey;
    this.#files = files;
    this.#signal = signal;
  }

  /** @throws CancelledError */
  async add(placed: PlacedImage): Promise<void> {
    const { image, source } = placed;
    const name = `${image.name ?? image.id} in ${source.path}`;
    if (image.fault !== undefined) {
      this.#unusable.add(source.path, `${name} ${image.fault}`);
      return;
    }
    if (image.channels.some(({ samples }) => samples > 1)) {
      this.#colours.add(source.path, name);
      return;
    }
    const measures = new PlaneMeasures(image);
    const resolved = new Map<number, PlaneFile | undefined>();
    for (const block of this.#blocks(placed)) {
      if (this.#signal.aborted) throw new CancelledError('indexing was cancelled');
      if (!resolved.has(block.file)) resolved.set(block.file, await this.#resolve(placed, block));
      const file = resolved.get(block.file);
      if (file && !this.#addBlock(placed, block, file, measures, name)) return;
    }
  }

  *#blocks({ image, source }: PlacedImage): Generator<OmeBlock> {
    if (image.tiffData.files.length > 0) {
      yield* blocksOf(image);
      return;
    }
    const firstPage = this.#nextPages.get(source) ?? 0;
    this.#nextPages.set(source, firstPage + planeCount(image));
    yield { file: -1, firstPage, pageCount: undefined, firstPlane: 0 };
  }

  async #resolve(placed: PlacedImage, block: OmeBlock): Promise<PlaneFile | undefined> {
    const { path, expected } = this.#files.resolve(placed.source, block.file);
    const file = path === undefined ? undefined : this.#survey.images.get(path);
    if (path === undefined || file === undefined) {
      const place = this.#place(placed, Math.max(0, block.firstPlane));
      this.#absent.add(expected, `${stemOf(place)}: ${expected}`);
      return undefined;
    }
    const pages = await this.#files.pages(path);
    return pages && { path, file, pages };
  }

  #place({ image, row, column, site }: PlacedImage, plane: number): PlaceOfPlane {
    const { c, z, t } = planeAt(image, plane);
    return { row, column, site, channel: c + 1, z: z + 1, t: t + 1 };
  }

  /** @returns whether the image can go on. */
  #addBlock(
    placed: PlacedImage,
    block: OmeBlock,
    file: PlaneFile,
    measures: PlaneMeasures,
    name: string,
  ): boolean {
    const { image, source } = placed;
    const { path, pages } = file;
    const room = planeCount(image) - block.firstPlane;
    const { pageCount } = block;
    // Without TiffData, smaller copies in the chain are no planes.
    const numbers = image.tiffData.files.length > 0 ? undefined : [...pages.fullPages()];
    const available = (numbers?.length ?? pages.count) - block.firstPage;
    const count = Math.min(pageCount ?? available, available, room);
    if (block.firstPlane < 0 || (pageCount !== undefined && (pageCount > available || pageCount > room)))
      this.#outside.add(
        source.path,
        `page ${block.firstPage + Math.max(count, 0)} of ${path}, which has ${pages.count}`,
      );
    for (let i = 0; i < count && block.firstPlane >= 0; i += 1) {
      const page = numbers?.[block.firstPage + i] ?? block.firstPage + i;
      if (pages.samples(page) > 1) {
        this.#colours.add(path, name);
        return false;
      }
      this.#addPlane(placed, block.firstPlane + i, file, page, measures);
    }
    return true;
  }

  #addPlane(
    placed: PlacedImage,
    plane: number,
    { path, file, pages }: PlaneFile,
    page: number,
    measures: PlaneMeasures,
  ): void {
    const { image } = placed;
    const place = this.#place(placed, plane);
    const shape = pages.shape(page);
    if (!shape || !isPlace(place)) {
      this.#unusable.add(path, `page ${page} of ${path}`);
      return;
    }
    if (this.#isTaken(file, page, pages.count)) {
      this.#repeated.add(path, `${stemOf(place)}: page ${page} of ${path}`);
      return;
    }
    this.#compare(image, shape, `page ${page} of ${path}`, path);
    const isWhole = pages.count === 1 && pages.fault === undefined;
    const detail = {
      ...measures.of(place.channel - 1, place.z - 1, place.t - 1),
      ...(isWhole ? { shape } : { page, shape }),
    };
    const { row, column, site, channel, z, t } = place;
    const extension = isWhole ? extensionOf(path) : '.tif';
    try {
      this.#survey.builder.addPlane(file, row, column, site, channel, z, t, extension, detail);
    } catch (error) {
      // More shapes or spellings than an index holds.
      if (!(error instanceof BadParameterError)) throw error;
      this.#unusable.add(path, `page ${page} of ${path}: ${error.message}`);
    }
  }

  /** Whether a page is a plane already; from now on it is. */
  #isTaken(file: number, page: number, pageCount: number): boolean {
    let taken = this.#taken.get(file);
    if (!taken) {
      taken = new Uint8Array(pageCount);
      this.#taken.set(file, taken);
    }
    const isTaken = taken[page] === 1;
    taken[page] = 1;
    return isTaken;
  }

  #compare({ sizeX, sizeY }: OmeImage, { width, height }: PlaneShape, what: string, path: string): void {
    if (sizeX !== width || sizeY !== height)
      this.#otherShapes.add(path, `${what}: ${width} × ${height} pixels, not ${sizeX} × ${sizeY}`);
  }

  /** Tells what was left out. */
  warn(): void {
    const tell = (tally: WarningTally, kind: string, one: string, many: string, rule: string): void => {
      for (const warning of tally.tell(kind, one, many, rule)) this.#survey.builder.addWarning(warning);
    };
    const underSource = 'they are reachable under source/ only';
    tell(
      this.#absent,
      'absent-image',
      'file that the OME-XML names is not on disk',
      'files that the OME-XML names are not on disk',
      'their planes are not shown; copy the missing files into the plate',
    );
    tell(
      this.#repeated,
      'contradiction',
      'plane lies, by the OME-XML, where another lies',
      'planes lie, by the OME-XML, where others lie',
      'the first is shown',
    );
    tell(
      this.#outside,
      'bad-metadata',
      'TiffData element leads outside its file or image',
      'TiffData elements lead outside their files or images',
      'the planes that are there are shown',
    );
    tell(
      this.#unusable,
      'bad-metadata',
      'image of the OME-XML is unusable',
      'images of the OME-XML are unusable',
      underSource,
    );
    tell(
      this.#colours,
      'colour-image',
      'image has several samples in each pixel, out of which no plane can be cut',
      'images have several samples in each pixel, out of which no plane can be cut',
      'they are shown whole, under source/ only',
    );
    tell(
      this.#otherShapes,
      'contradiction',
      'plane has another size than the OME-XML says',
      'planes have another size than the OME-XML says',
      'the file decides',
    );
  }
}
