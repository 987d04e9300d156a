import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BadMetadataError, explain, PlateFsError, UnreadableSourceError } from '../../core/errors.ts';
import { known } from '../../core/metadata-values.ts';
import { recordedPath } from '../../core/recorded-path.ts';
import { blocksOf, planeAt, planeCount } from '../../ome/ome-blocks.ts';
import type { OmeDocument, OmeImage } from '../../ome/ome-document.ts';
import { NoOmeXml, OmeHandler } from '../../ome/ome-handler.ts';
import { XmlFault } from '../../xml/xml-fault.ts';
import { XmlScanner } from '../../xml/xml-scanner.ts';
import { isWithin } from '../../zarr/stored-bytes.ts';
import { checkDecodable } from './tiff-decode.ts';
import type { TiffFiles } from './tiff-files.ts';
import type { TiffPage } from './tiff-page.ts';
import { chunkOf, imageOf, levelsBelow, sameShape, type TiffSeries } from './tiff-series.ts';

const CHUNK_BYTES = 256 << 10;
/** OME-XML of a million planes is about 300 MB. */
const MAX_XML_BYTES = 1 << 30;
/** Planes of one image; where each lies takes 16 bytes. */
const MAX_PLANES = 1 << 24;

/**
 * Whether a text is that of OME-XML: the root's name, with or without a prefix, comes early. A byte order mark counts
 * as a blank.
 */
export const looksLikeOme = (text: string): boolean =>
  /^\s*</.test(text) && /<(?:\w+:)?OME[\s>]/.test(text.slice(0, 16 << 10));

/** Reads pieces of a document until there are none. @throws BadMetadataError; NoOmeXml */
function parse(path: string, pieces: Iterable<Buffer>): OmeDocument {
  const handler = new OmeHandler(path);
  const scanner = new XmlScanner(handler);
  try {
    for (const piece of pieces) {
      if (scanner.stopped) break;
      scanner.write(piece);
    }
    scanner.end();
  } catch (error) {
    if (!(error instanceof XmlFault)) throw error;
    throw new BadMetadataError(path, `bad OME-XML at byte ${error.byteOffset}: ${error.detail}`);
  }
  return handler.document;
}

function* piecesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}

function* piecesOfFile(path: string): Generator<Buffer> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    throw new UnreadableSourceError(path, 'opening failed', { cause });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > MAX_XML_BYTES)
      throw new BadMetadataError(path, `is no OME-XML: ${stat.size} bytes`);
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const got = readSync(fd, chunk, 0, chunk.length, null);
      if (got === 0) return;
      // The scanner keeps what it needs.
      yield chunk.subarray(0, got);
    }
  } finally {
    closeSync(fd);
  }
}

/** Files beside the first that a document names, as far as they lie inside the folder. */
class Companions {
  readonly #folder: string;
  readonly #root: string | undefined;
  readonly #files: TiffFiles;

  constructor(mainPath: string, root: string | undefined, files: TiffFiles) {
    this.#folder = dirname(mainPath);
    this.#root = root === undefined ? undefined : realpathSync(root);
    this.#files = files;
  }

  /** The path of a file as the document names it. @throws BadMetadataError for one that is outside or is not there */
  path(name: string): string {
    const below = recordedPath(name);
    const path = below === undefined ? undefined : join(this.#folder, below);
    if (path === undefined || (this.#root !== undefined && !this.#isInside(path, this.#root)))
      throw new BadMetadataError(name, 'lies outside the folder that is mounted');
    return path;
  }

  #isInside(path: string, root: string): boolean {
    let real: string;
    try {
      real = realpathSync(path);
    } catch (cause) {
      throw new UnreadableSourceError(path, 'is not there', { cause });
    }
    return isWithin(real, root);
  }

  number(name: string): number {
    return this.#files.add(this.path(name));
  }
}

/** What a document says of the TIFF it was found in or through. */
export interface OmeSeries {
  readonly series: TiffSeries[];
  /** Images of the document that can't be shown, and why. */
  readonly refused: { readonly name: string; readonly message: string }[];
}

/**
 * The images that the OME-XML of a TIFF describes, be their pages in it or in files beside it
 * (https://docs.openmicroscopy.org/ome-model/latest/ome-tiff/specification.html). A document of which a single page
 * is wanting is not believed for that image: nothing is filled in.
 * @param files with the TIFF as its first, to which the others are added.
 * @param root nothing outside it is opened; undefined where that was made sure of before.
 * @param begin called when all files are known, before any but the first is opened.
 * @returns undefined when the text is no OME-XML
 * @throws BadMetadataError when the text is damaged
 */
export function omeSeries(
  path: string,
  text: string,
  root: string | undefined,
  files: TiffFiles,
  begin: () => void,
): OmeSeries | undefined {
  if (!looksLikeOme(text)) return undefined;
  const companions = new Companions(path, root, files);
  let document: OmeDocument;
  try {
    document = parse(path, piecesOf(Buffer.from(text)));
    if (document.metadataFile !== undefined) {
      const companion = companions.path(document.metadataFile);
      files.add(companion);
      document = parse(companion, piecesOfFile(companion));
    }
  } catch (error) {
    if (error instanceof NoOmeXml) return undefined;
    throw error;
  }
  const own = basename(path);
  /** Number of each file of the document, or why there is none. */
  const numbers = document.files.map(({ name }): number | PlateFsError => {
    if (name === undefined || name === own) return 0;
    try {
      return companions.number(name);
    } catch (error) {
      if (error instanceof PlateFsError) return error;
      throw error;
    }
  });
  begin();
  const series: TiffSeries[] = [];
  const refused: { name: string; message: string }[] = [];
  for (const [i, image] of document.images.entries()) {
    const name = image.name ?? (document.images.length === 1 ? '' : `image ${i + 1}`);
    try {
      series.push(seriesOf(image, name, files, numbers, path));
    } catch (error) {
      if (!(error instanceof PlateFsError)) throw error;
      refused.push({ name, message: explain(error) });
    }
  }
  return { series, refused };
}

function seriesOf(
  image: OmeImage,
  name: string,
  files: TiffFiles,
  numbers: readonly (number | PlateFsError)[],
  path: string,
): TiffSeries {
  const wrong = (what: string): BadMetadataError =>
    new BadMetadataError(path, `its OME-XML says of image '${name}' what is not so: ${what}`);
  if (image.fault !== undefined) throw wrong(image.fault);
  const opening = openingPage(image, files, numbers);
  const { samples } = opening;
  if (image.sizeC % samples !== 0) throw wrong(`SizeC ${image.sizeC} with ${samples} samples per pixel`);
  if (opening.width !== image.sizeX || opening.height !== image.sizeY)
    throw wrong(
      `${image.sizeX} by ${image.sizeY} pixels, but its page has ${opening.width} by ${opening.height}`,
    );
  const paged = { ...image, sizeC: image.sizeC / samples };
  const count = planeCount(paged);
  if (count > MAX_PLANES) throw wrong(`${count} planes are too many`);
  const places = { files: new Int32Array(count).fill(-1), pages: new Int32Array(count) };
  for (const block of blocksIn(paged)) {
    const file = block.file < 0 ? 0 : (numbers[block.file] ?? 0);
    if (typeof file !== 'number') throw file;
    const inFile = files.file(file).pageCount() - block.firstPage;
    const pages = Math.min(block.pageCount ?? inFile, count - block.firstPlane);
    if (block.firstPlane < 0 || pages > inFile) throw wrong('a page that is not there');
    for (let i = 0; i < pages; i++) {
      const plane = planeAt(paged, block.firstPlane + i);
      const at = (plane.t * paged.sizeC + plane.c) * paged.sizeZ + plane.z;
      if (places.files[at] !== -1) throw wrong('two pages for one plane');
      places.files[at] = file;
      places.pages[at] = block.firstPage + i;
    }
  }
  const lacking = places.files.indexOf(-1);
  if (lacking >= 0) throw wrong(`no page for plane ${lacking} of ${count}`);
  const [firstFile = 0] = places.files;
  const first = files.page(firstFile, places.pages[0] ?? 0);
  for (let at = 0; at < count; at++) {
    const other = files.page(places.files[at] ?? 0, places.pages[at] ?? 0);
    if (!sameShape(other, first)) throw wrong('pages that differ in shape');
    checkDecodable(other);
  }
  // Anew: of many files only some are open, and a page reads on through its own.
  const page = files.page(firstFile, places.pages[0] ?? 0);
  const { pixelSizeUm, zSpacingUm, timeIntervalS, channels } = image;
  const facts = known({
    pixelSizeUm,
    zSpacingUm,
    timeIntervalS,
    channels: channels.map(({ name: channel, emissionNm }) => known({ name: channel, emissionNm })),
  });
  return {
    image: imageOf(name, page, { t: paged.sizeT, pageChannels: paged.sizeC, z: paged.sizeZ }, facts),
    samples,
    planar: page.planar,
    places: places.files.every((file) => file === 0) ? { pages: places.pages } : places,
    chunk: chunkOf(page),
    levels: levelsBelow(page, (offset) => files.file(firstFile).pageAt(offset)),
  };
}

/** The blocks of an image; one without TiffData has its pages in order, as if it had an empty one. */
function blocksIn(image: OmeImage): ReturnType<typeof blocksOf> {
  if (image.tiffData.files.length > 0) return blocksOf(image);
  const tiffData = {
    ifds: [0],
    counts: [planeCount(image)],
    firstCs: [0],
    firstZs: [0],
    firstTs: [0],
    files: [-1],
  };
  return blocksOf({ ...image, tiffData });
}

/** Any page of the image: it tells how many samples a page has. */
function openingPage(
  image: OmeImage,
  files: TiffFiles,
  numbers: readonly (number | PlateFsError)[],
): TiffPage {
  const [file = -1] = image.tiffData.files;
  const [ifd = -1] = image.tiffData.ifds;
  const number = file < 0 ? 0 : (numbers[file] ?? 0);
  if (typeof number !== 'number') throw number;
  return files.page(number, Math.max(0, ifd));
}
