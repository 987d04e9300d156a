import { BadMetadataError } from '../../core/errors.ts';
import { MAX_WELL_COLUMNS, MAX_WELL_ROWS } from '../../model/well.ts';
import type { XmlElement, XmlHandler, XmlWish } from '../../xml/xml-scanner.ts';
import { CHANNEL_ELEMENTS, type ChannelElement, HarmonyChannels } from './harmony-channels.ts';
import type { HarmonyFinder } from './harmony-finder.ts';
import { emptyHarmonyImage, type HarmonyImage, HarmonyImages } from './harmony-images.ts';
import {
  HARMONY_ROOT,
  isHarmonyNamespace,
  MAX_HARMONY_CHANNEL,
  MAX_HARMONY_NUMBER,
  parseHarmonyName,
} from './harmony-name.ts';
import { micrometreShift, shiftedNumber, unixMs, wholeNumber } from './harmony-number.ts';
import { WarningTally } from './warning-tally.ts';

const IMAGE_ELEMENTS = [
  'URL',
  'State',
  'Row',
  'Col',
  'FieldID',
  'PlaneID',
  'TimepointID',
  'ChannelID',
  'FlimID',
  'PositionX',
  'PositionY',
  'PositionZ',
  'MeasurementTimeOffset',
  'AbsTime',
] as const;
const PLATE_ELEMENTS = [
  'PlateID',
  'Name',
  'PlateRows',
  'PlateColumns',
  'PlateTypeName',
  'MeasurementID',
  'MeasurementStartTime',
] as const;
type ImageElement = (typeof IMAGE_ELEMENTS)[number] | ChannelElement;
export type HarmonyPlate = Partial<Record<(typeof PLATE_ELEMENTS)[number], string>>;

/** Elements whose text is wished for, by the place they stand at, and the slot that it is kept in. */
const slots = (names: readonly string[]): ReadonlyMap<string, number> =>
  new Map(names.map((name, slot) => [name, slot]));
const IMAGE_SLOTS = slots([...CHANNEL_ELEMENTS, ...IMAGE_ELEMENTS]);
const PLATE_SLOTS = slots(PLATE_ELEMENTS);
const ENTRY_SLOTS = slots(CHANNEL_ELEMENTS);
const slotOf = (name: ImageElement): number => IMAGE_SLOTS.get(name) ?? 0;
/** Slots by name, looked up once. */
const SLOT = Object.fromEntries(IMAGE_ELEMENTS.map((name) => [name, slotOf(name)])) as Readonly<
  Record<(typeof IMAGE_ELEMENTS)[number], number>
>;
/** Plates of one Index that are kept apart; more are only counted. */
const MAX_PLATES = 16;
const MAX_TEXT = 4096;

interface Length {
  text: string;
  unit: string;
  micrometres: number;
}

/**
 * Gathers what an Index says (`EvaluationInputData`, schema V4 to V7), image by image, as the scanner comes to it.
 * What an Image lacks or garbles leaves that image out; its file is then named by its name.
 */
export class HarmonyIndex implements XmlHandler {
  /** Path below the plate's root, for messages. */
  readonly path: string;
  readonly images = new HarmonyImages();
  readonly channels = new HarmonyChannels();
  readonly plates: HarmonyPlate[] = [];
  plateCount = 0;
  /** `V5` of the namespace, '' where it has none. */
  schema = '';
  instrument = '';
  readonly incomplete = new WarningTally();
  readonly absent = new WarningTally();
  readonly unsafe = new WarningTally();
  readonly notOk = new WarningTally();
  readonly foreign = new WarningTally();
  readonly repeated = new WarningTally();
  readonly claimed = new WarningTally();
  /** Elements and file names that say different things. */
  readonly misnamed = new WarningTally();

  readonly #finder: HarmonyFinder;
  /** Image that has claimed a file, by file. */
  readonly #claims = new Map<number, number>();
  readonly #image = emptyHarmonyImage();
  readonly #other = emptyHarmonyImage();
  /** Texts and units of the image at hand, by slot. */
  readonly #texts: string[] = Array<string>(IMAGE_SLOTS.size).fill('');
  readonly #units: string[] = Array<string>(IMAGE_SLOTS.size).fill('');
  /** Lengths read last, by slot: neighbouring images share most of theirs. */
  readonly #lengths: Length[] = Array.from(IMAGE_SLOTS, () => ({
    text: '',
    unit: '',
    micrometres: Number.NaN,
  }));
  #section = '';
  #slot = 0;
  #unit = '';
  #plate: HarmonyPlate | undefined;
  #entryChannel = -1;

  constructor(path: string, finder: HarmonyFinder) {
    this.path = path;
    this.#finder = finder;
  }

  start(element: XmlElement): XmlWish {
    const { name, depth } = element;
    if (depth === 1) return this.#startRoot(element);
    if (depth === 2) {
      this.#section = name;
      if (name === 'InstrumentType') return 'text';
      return name === 'Images' || name === 'Plates' || name === 'Maps' ? 'children' : 'skip';
    }
    if (depth === 3) return this.#startItem(name);
    if (this.#section === 'Maps') {
      if (depth === 4) {
        if (name !== 'Entry') return 'skip';
        this.#entryChannel = wholeNumber(element.attribute('ChannelID') ?? '');
        return this.#entryChannel > 0 ? 'children' : 'skip';
      }
      return this.#startValue(element, ENTRY_SLOTS);
    }
    return this.#startValue(element, this.#section === 'Images' ? IMAGE_SLOTS : PLATE_SLOTS);
  }

  end(name: string, text: string, depth: number): void {
    if (depth === 2 && name === 'InstrumentType') this.instrument = text.slice(0, MAX_TEXT).trim();
    else if (depth === 3 && this.#section === 'Images') this.#endImage();
    else if (depth === 4 && this.#section === 'Images') {
      this.#texts[this.#slot] = text;
      this.#units[this.#slot] = this.#unit;
    } else if (depth === 4 && this.#section === 'Plates') {
      if (this.#plate)
        this.#plate[name as keyof HarmonyPlate] = Buffer.from(text.slice(0, MAX_TEXT)).toString();
    } else if (depth === 5 && this.#section === 'Maps')
      this.channels.say(this.#entryChannel, name as ChannelElement, text, this.#unit);
  }

  #startRoot({ name, namespace }: XmlElement): XmlWish {
    if (name !== HARMONY_ROOT || !isHarmonyNamespace(namespace))
      throw new BadMetadataError(
        this.path,
        `is no Harmony index: its root is <${name.slice(0, 60)}> of the namespace '${namespace.slice(0, 120)}'`,
      );
    this.schema = /V\d{1,3}$/.exec(namespace)?.[0] ?? '';
    return 'children';
  }

  #startItem(name: string): XmlWish {
    if (this.#section === 'Plates') {
      if (name !== 'Plate') return 'skip';
      this.plateCount += 1;
      if (this.plates.length >= MAX_PLATES) return 'skip';
      this.#plate = {};
      this.plates.push(this.#plate);
      return 'children';
    }
    if (this.#section === 'Maps') return name === 'Map' ? 'children' : 'skip';
    if (name !== 'Image') return 'skip';
    this.#texts.fill('');
    return 'children';
  }

  #startValue(element: XmlElement, wished: ReadonlyMap<string, number>): XmlWish {
    const slot = wished.get(element.name);
    if (slot === undefined) return 'skip';
    this.#slot = slot;
    this.#unit = element.attribute('Unit') ?? '';
    return 'text';
  }

  #text(slot: number): string {
    return this.#texts[slot] ?? '';
  }

  #micrometres(slot: number): number {
    const text = this.#text(slot);
    const unit = this.#units[slot] ?? '';
    const last = this.#lengths[slot];
    if (!last || text === '') return Number.NaN;
    if (last.text === text && last.unit === unit) return last.micrometres;
    const shift = micrometreShift(unit || 'm');
    last.text = text;
    last.unit = unit;
    last.micrometres = shift === undefined ? Number.NaN : shiftedNumber(text, shift);
    return last.micrometres;
  }

  #endImage(): void {
    const image = this.#image;
    const url = this.#text(SLOT.URL);
    image.row = wholeNumber(this.#text(SLOT.Row)) - 1;
    image.column = wholeNumber(this.#text(SLOT.Col)) - 1;
    image.field = wholeNumber(this.#text(SLOT.FieldID));
    image.plane = wholeNumber(this.#text(SLOT.PlaneID));
    image.channel = wholeNumber(this.#text(SLOT.ChannelID));
    if (url === '' || !isPlace(image)) {
      this.incomplete.add(url === '' ? this.path : url);
      return;
    }
    const found = this.#finder.find(url);
    if (found === 'unsafe') {
      this.unsafe.add(url);
      return;
    }
    if (found === 'foreign') {
      this.foreign.add(url);
      return;
    }
    image.file = found;
    image.timepointId = wholeNumber(this.#text(SLOT.TimepointID));
    image.flimId = wholeNumber(this.#text(SLOT.FlimID));
    image.xUm = this.#micrometres(SLOT.PositionX);
    image.yUm = this.#micrometres(SLOT.PositionY);
    image.zUm = this.#micrometres(SLOT.PositionZ);
    image.elapsedS = shiftedNumber(this.#text(SLOT.MeasurementTimeOffset), 0);
    image.acquiredAtMs = unixMs(this.#text(SLOT.AbsTime));
    image.agrees = this.#readName(url, image);
    const state = this.#text(SLOT.State);
    if (found >= 0 && state !== '' && !/^ok$/i.test(state.trim()))
      this.notOk.add(url, `${url}: ${state.slice(0, 40)}`);
    this.channels.sayAll(image.channel, this.#texts, this.#units);
    if (found < 0) this.absent.add(url);
    else if (!this.#claim(found, image, url)) return;
    else if (!image.agrees) this.misnamed.add(url);
    this.images.push(image);
  }

  /** Takes from the name what only it says; false when it contradicts the elements. */
  #readName(url: string, image: HarmonyImage): boolean {
    const named = parseHarmonyName(url.slice(url.lastIndexOf('/') + 1));
    image.slowKinetic = named?.slowKinetic ?? -1;
    image.fastKinetic = named?.fastKinetic ?? -1;
    image.lifetime = named?.lifetime ?? -1;
    return (
      named === undefined ||
      (named.row === image.row &&
        named.column === image.column &&
        named.field === image.field &&
        named.plane === image.plane &&
        named.channel === image.channel)
    );
  }

  /** False when another image has the file, and keeps it: the first one, unless only this one agrees with the name. */
  #claim(file: number, image: HarmonyImage, url: string): boolean {
    const before = this.#claims.get(file);
    if (before === undefined) {
      this.#claims.set(file, this.images.count);
      return true;
    }
    const other = this.#other;
    this.images.read(before, other);
    if (isSamePlace(image, other)) {
      this.repeated.add(url);
      return false;
    }
    this.claimed.add(url);
    if (other.agrees || !image.agrees) return false;
    this.images.dropFile(before);
    this.#claims.set(file, this.images.count);
    return true;
  }
}

function isPlace({ row, column, field, plane, channel }: HarmonyImage): boolean {
  return (
    row >= 0 &&
    row < MAX_WELL_ROWS &&
    column >= 0 &&
    column < MAX_WELL_COLUMNS &&
    field >= 1 &&
    field <= MAX_HARMONY_NUMBER &&
    plane >= 1 &&
    plane <= MAX_HARMONY_NUMBER &&
    channel >= 1 &&
    channel <= MAX_HARMONY_CHANNEL
  );
}

function isSamePlace(a: HarmonyImage, b: HarmonyImage): boolean {
  return (
    a.row === b.row &&
    a.column === b.column &&
    a.field === b.field &&
    a.plane === b.plane &&
    a.channel === b.channel &&
    a.timepointId === b.timepointId
  );
}
