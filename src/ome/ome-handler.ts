import { BadMetadataError } from '../core/errors.ts';
import { finiteNumber, known, plainText, positiveNumber, wholeNumber } from '../core/metadata-values.ts';
import type { XmlElement, XmlHandler, XmlWish } from '../xml/xml-scanner.ts';
import {
  NOT_SAID,
  type OmeChannel,
  type OmeDocument,
  type OmeFile,
  type OmeImage,
  type OmePlate,
  type OmeWell,
  type OmeWellSample,
} from './ome-document.ts';
import { inMicrometres, inNanometres, inSeconds } from './ome-units.ts';

/** Elements of one kind in one document: about a hundred times the largest plate known. */
const MAX_ELEMENTS = 8_000_000;
const MAX_IMAGES = 1_000_000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

/** A copy that doesn't keep the chunk of text it was cut from. */
const copied = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : Buffer.from(text).toString();

const label = (element: XmlElement, name: string): string | undefined =>
  copied(plainText(element.attribute(name)));

/** A length in µm; `otherwise` is the unit that the schema supplies. */
const micrometres = (element: XmlElement, name: string, otherwise: string): number | undefined =>
  inMicrometres(finiteNumber(element.attribute(name)), element.attribute(`${name}Unit`) ?? otherwise);

const seconds = (element: XmlElement, name: string): number | undefined =>
  inSeconds(finiteNumber(element.attribute(name)), element.attribute(`${name}Unit`) ?? 's');

const nanometres = (element: XmlElement, name: string): number | undefined =>
  inNanometres(positiveNumber(element.attribute(name)), element.attribute(`${name}Unit`) ?? 'nm');

/** The root of a document is not OME. */
export class NoOmeXml extends Error {}

/** Gathers an {@link OmeDocument}; everything it has no use for is passed over. */
export class OmeHandler implements XmlHandler {
  readonly #path: string;
  readonly #document: Mutable<OmeDocument> = { images: [], plates: [], files: [] };
  readonly #fileNumbers = new Map<string, number>();
  #image: Mutable<OmeImage> | undefined;
  #plate: Mutable<OmePlate> | undefined;
  #well: Mutable<OmeWell> | undefined;
  #sample: Mutable<OmeWellSample> | undefined;
  #fileName: string | undefined;
  #tiffDataCount = 0;
  #planeCount = 0;

  /** `path` is for messages. */
  constructor(path: string) {
    this.#path = path;
  }

  get document(): OmeDocument {
    return this.#document;
  }

  start(element: XmlElement): XmlWish {
    const { name, depth } = element;
    if (depth === 1) {
      if (name !== 'OME') throw new NoOmeXml(`its root is ${name}`);
      const uuid = label(element, 'UUID');
      if (uuid !== undefined) this.#document.uuid = uuid;
      return 'children';
    }
    if (depth === 2) return this.#startTop(element);
    if (this.#image) return this.#startInImage(element, this.#image);
    if (this.#plate) return this.#startInPlate(element, this.#plate);
    return 'skip';
  }

  end(name: string, text: string, depth: number): void {
    if (depth === 2) {
      if (this.#image) this.#settleImage(this.#image);
      this.#image = undefined;
      this.#plate = undefined;
    } else if (name === 'UUID' && depth === 5 && this.#image) this.#nameFile(this.#image, text);
    else if (name === 'Well' && depth === 3) this.#well = undefined;
    else if (name === 'WellSample' && depth === 4 && this.#sample) {
      if (this.#sample.image !== '') this.#well?.samples.push(this.#sample);
      this.#sample = undefined;
    }
  }

  #startTop(element: XmlElement): XmlWish {
    const { name } = element;
    if (name === 'BinaryOnly') {
      this.#document.metadataFile = copied(element.attribute('MetadataFile')) ?? '';
      return 'skip';
    }
    if (name === 'Image') {
      this.#image = this.#newImage(element);
      return 'children';
    }
    if (name !== 'Plate') return 'skip';
    this.#plate = {
      id: label(element, 'ID') ?? '',
      ...known({
        name: label(element, 'Name'),
        rows: wholeNumber(element.attribute('Rows')) || undefined,
        columns: wholeNumber(element.attribute('Columns')) || undefined,
      }),
      wells: [],
    };
    this.#document.plates.push(this.#plate);
    return 'children';
  }

  #newImage(element: XmlElement): Mutable<OmeImage> {
    if (this.#document.images.length >= MAX_IMAGES) throw this.#tooMany('Image', MAX_IMAGES);
    return {
      id: label(element, 'ID') ?? '',
      ...known({ name: label(element, 'Name') }),
      sizeX: 0,
      sizeY: 0,
      sizeZ: 0,
      sizeC: 0,
      sizeT: 0,
      order: '',
      channels: [],
      tiffData: { ifds: [], counts: [], firstCs: [], firstZs: [], firstTs: [], files: [] },
      planes: { cs: [], zs: [], ts: [], xsUm: [], ysUm: [], zsUm: [], elapsedS: [] },
    };
  }

  #startInImage(element: XmlElement, image: Mutable<OmeImage>): XmlWish {
    const { name, depth } = element;
    if (depth === 3 && name === 'Pixels') {
      this.#takePixels(element, image);
      return 'children';
    }
    if (depth === 4 && name === 'Channel') image.channels.push(channelOf(element));
    else if (depth === 4 && name === 'Plane') this.#takePlane(element, image);
    else if (depth === 4 && name === 'TiffData') {
      this.#takeTiffData(element, image);
      return 'children';
    } else if (depth === 5 && name === 'UUID') {
      this.#fileName = element.attribute('FileName');
      return 'text';
    }
    return 'skip';
  }

  #takePixels(element: XmlElement, image: Mutable<OmeImage>): void {
    const faults: string[] = [];
    for (const axis of ['X', 'Y', 'Z', 'C', 'T'] as const) {
      const size = wholeNumber(element.attribute(`Size${axis}`)) ?? 0;
      if (size === 0) faults.push(`Size${axis}`);
      image[`size${axis}`] = size;
    }
    const order = /^XY([ZCT]{3})$/.exec(element.attribute('DimensionOrder') ?? '')?.[1] ?? '';
    if (new Set(order).size === 3) image.order = copied(order) ?? '';
    else faults.push('DimensionOrder');
    if (faults.length > 0) image.fault = `lacks a usable ${faults.join(', ')}`;
    const x = micrometres(element, 'PhysicalSizeX', 'µm') ?? 0;
    const y = micrometres(element, 'PhysicalSizeY', 'µm') ?? 0;
    if (x > 0 && y > 0) image.pixelSizeUm = { x, y };
    const z = micrometres(element, 'PhysicalSizeZ', 'µm') ?? 0;
    if (z > 0) image.zSpacingUm = z;
    const interval = seconds(element, 'TimeIncrement') ?? 0;
    if (interval > 0) image.timeIntervalS = interval;
  }

  #takeTiffData(element: XmlElement, { tiffData }: Mutable<OmeImage>): void {
    this.#tiffDataCount += 1;
    if (this.#tiffDataCount > MAX_ELEMENTS) throw this.#tooMany('TiffData', MAX_ELEMENTS);
    const number = (name: string, otherwise: number): number => {
      const text = element.attribute(name);
      // A number that is none leads outside whatever file it is: it must not become the first image.
      return text === undefined ? otherwise : (wholeNumber(text) ?? Number.MAX_SAFE_INTEGER);
    };
    tiffData.ifds.push(number('IFD', NOT_SAID));
    tiffData.counts.push(number('PlaneCount', NOT_SAID));
    tiffData.firstCs.push(number('FirstC', 0));
    tiffData.firstZs.push(number('FirstZ', 0));
    tiffData.firstTs.push(number('FirstT', 0));
    tiffData.files.push(NOT_SAID);
  }

  #nameFile({ tiffData }: Mutable<OmeImage>, text: string): void {
    const uuid = text.trim();
    const key = `${uuid}\0${this.#fileName ?? ''}`;
    let number = this.#fileNumbers.get(key);
    if (number === undefined) {
      const file: OmeFile = known({ name: copied(this.#fileName), uuid: copied(uuid || undefined) });
      number = this.#document.files.push(file) - 1;
      this.#fileNumbers.set(copied(key) ?? '', number);
    }
    tiffData.files[tiffData.files.length - 1] = number;
    this.#fileName = undefined;
  }

  #takePlane(element: XmlElement, { planes }: Mutable<OmeImage>): void {
    this.#planeCount += 1;
    if (this.#planeCount > MAX_ELEMENTS) throw this.#tooMany('Plane', MAX_ELEMENTS);
    const at = ['TheC', 'TheZ', 'TheT'].map((name) => wholeNumber(element.attribute(name)));
    const measures = [
      micrometres(element, 'PositionX', 'reference frame'),
      micrometres(element, 'PositionY', 'reference frame'),
      micrometres(element, 'PositionZ', 'reference frame'),
      seconds(element, 'DeltaT'),
    ];
    const [c, z, t] = at;
    if (c === undefined || z === undefined || t === undefined) return;
    if (measures.every((measure) => measure === undefined)) return;
    const [x = Number.NaN, y = Number.NaN, zUm = Number.NaN, elapsed = Number.NaN] = measures;
    planes.cs.push(c);
    planes.zs.push(z);
    planes.ts.push(t);
    planes.xsUm.push(x);
    planes.ysUm.push(y);
    planes.zsUm.push(zUm);
    planes.elapsedS.push(elapsed);
  }

  #settleImage(image: Mutable<OmeImage>): void {
    if (image.order === '' && image.fault === undefined) image.fault = 'has no Pixels';
    this.#document.images.push(image);
  }

  #startInPlate(element: XmlElement, plate: Mutable<OmePlate>): XmlWish {
    const { name, depth } = element;
    if (depth === 3 && name === 'Well') {
      if (plate.wells.length >= MAX_IMAGES) throw this.#tooMany('Well', MAX_IMAGES);
      this.#well = {
        ...known({
          row: wholeNumber(element.attribute('Row')),
          column: wholeNumber(element.attribute('Column')),
        }),
        samples: [],
      };
      plate.wells.push(this.#well);
      return 'children';
    }
    if (depth === 4 && name === 'WellSample') {
      this.#sample = { image: '', ...known({ index: wholeNumber(element.attribute('Index')) }) };
      return 'children';
    }
    if (depth === 5 && name === 'ImageRef' && this.#sample) this.#sample.image = label(element, 'ID') ?? '';
    return 'skip';
  }

  #tooMany(element: string, limit: number): BadMetadataError {
    return new BadMetadataError(this.#path, `more than ${limit} ${element} elements are too many`);
  }
}

function channelOf(element: XmlElement): OmeChannel {
  return {
    ...known({
      name: label(element, 'Name'),
      emissionNm: nanometres(element, 'EmissionWavelength'),
      excitationNm: nanometres(element, 'ExcitationWavelength'),
    }),
    samples: wholeNumber(element.attribute('SamplesPerPixel')) || 1,
  };
}
