import { isUtf8 } from 'node:buffer';
import { known, positiveNumber, wholeNumber } from '../../core/metadata-values.ts';
import { MAX_WELL_COLUMNS, MAX_WELL_ROWS } from '../../model/well.ts';
import { readMetadata } from './metadata-file.ts';
import { scanXml } from './xml-file.ts';

/** What `experiment_descriptor.xml` tells; what it doesn't is absent. */
export interface ScanRDescriptor {
  readonly plateName?: string;
  readonly plateRows?: number;
  readonly plateColumns?: number;
  readonly pixelSizeUm?: number;
  readonly zSpacingUm?: number;
  readonly timeIntervalS?: number;
  /** Names of the channels that were acquired, in the order of acquisition. */
  readonly channels: readonly string[];
}

/** Real ones have some hundred kilobytes. */
const MAX_BYTES = 64 << 20;
const MAX_CHANNELS = 256;
const upTo = (most: number, value: number | undefined): number | undefined =>
  value !== undefined && value >= 1 && value <= most ? value : undefined;
const isChannelGroup = (name: string): boolean => name === 'Array' || name === 'Cluster';

/** Gathers the `Name` and `Val` pairs of the document. */
class DescriptorReader {
  readonly channels: string[] = [];
  #key = '';
  #inGroup = false;
  #layoutBegun = false;
  #told: { -readonly [K in Exclude<keyof ScanRDescriptor, 'channels'>]?: ScanRDescriptor[K] | undefined } =
    {};

  start(name: string): void {
    if (isChannelGroup(name)) this.#inGroup = true;
  }

  end(name: string, text: string): void {
    const value = text.trim();
    if (isChannelGroup(name)) this.#inGroup = false;
    if (value === '') return;
    if (name === 'Name') {
      this.#key = value;
      if (value === 'format typedef') this.#layoutBegun = true;
    } else if (this.#layoutBegun && this.#key === 'Rows')
      this.#told.plateRows ??= upTo(MAX_WELL_ROWS, wholeNumber(value));
    else if (this.#layoutBegun && this.#key === 'Columns') {
      this.#told.plateColumns ??= upTo(MAX_WELL_COLUMNS, wholeNumber(value));
      this.#layoutBegun = false;
    } else if (name === 'Val') this.#value(value);
  }

  #value(value: string): void {
    switch (this.#key) {
      case 'plate name':
        this.#told.plateName ??= value;
        break;
      case 'conversion factor um/pixel':
        this.#told.pixelSizeUm ??= positiveNumber(value);
        break;
      case 'slices distance':
        this.#told.zSpacingUm ??= positiveNumber(value);
        break;
      case 'timeloop delay [ms]': {
        const delayMs = positiveNumber(value);
        if (delayMs !== undefined) this.#told.timeIntervalS ??= delayMs / 1e3;
        break;
      }
      case 'name':
        if (this.#inGroup && this.channels.length < MAX_CHANNELS && !this.channels.includes(value))
          this.channels.push(value);
        break;
      case 'idle':
        // Channels that are set up but not used, and the one of the autofocus, give no images.
        if (this.#inGroup && (value !== '0' || this.channels.at(-1) === 'Autofocus')) this.channels.pop();
        break;
      default:
    }
  }

  finish(): ScanRDescriptor {
    return { ...known(this.#told), channels: this.channels };
  }
}

/** The bytes in UTF-8, where they are ISO-8859-1 without saying so. */
function inUtf8(bytes: Buffer): Buffer {
  const declared = /^<\?xml[^>]*encoding\s*=\s*["']([^"']*)/.exec(bytes.toString('latin1', 0, 200))?.[1];
  const isDeclaredOther = declared !== undefined && !/^utf-?8$/i.test(declared);
  return isDeclaredOther || isUtf8(bytes) ? bytes : Buffer.from(bytes.toString('latin1'), 'utf8');
}

/**
 * Reads `experiment_descriptor.xml`: `Name` and `Val` elements in `Cluster`s and `Array`s. Some hold characters that
 * are not UTF-8 without a declaration. Keys, and that unused channels are `idle`: Bio-Formats' ScanrReader; the
 * distance of slices: the ScanR key `slices distance`, in µm, as macros for Bio-Formats read it.
 * @throws BadMetadataError, UnreadableSourceError, CancelledError
 */
export async function readScanRDescriptor(path: string, signal: AbortSignal): Promise<ScanRDescriptor> {
  const reader = new DescriptorReader();
  scanXml(path, inUtf8(await readMetadata(path, MAX_BYTES, signal)), {
    start({ name }) {
      reader.start(name);
      return 'text';
    },
    end: (name, text) => reader.end(name, text),
  });
  return reader.finish();
}
