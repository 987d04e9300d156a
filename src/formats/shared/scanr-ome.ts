import { finiteNumber, known, wholeNumber } from '../../core/metadata-values.ts';
import type { PlaneDetail } from '../../model/plane-details.ts';
import type { XmlElement, XmlWish } from '../../xml/xml-scanner.ts';
import { scanXmlFile } from './xml-file.ts';

/** What `metadata.ome.xml` of newer ScanR versions tells. */
export interface ScanROme {
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
  /** Names of the first image's channels. */
  readonly channels: readonly string[];
  /** File name → where and when it was acquired. */
  readonly details: ReadonlyMap<string, PlaneDetail>;
}

/** Files remembered; a bound for what is no metadata. */
const MAX_FILES = 4_000_000;

/** OME-XML: a length without a unit is in µm where it is a size, and no known length where it is a position. */
const micrometres = (element: XmlElement, name: string, unitless: boolean): number | undefined => {
  const unit = element.attribute(`${name}Unit`);
  const isUm = unit === undefined ? unitless : unit === 'µm' || unit === 'μm';
  return isUm ? finiteNumber(element.attribute(name)) : undefined;
};

const seconds = (element: XmlElement): number | undefined =>
  (element.attribute('DeltaTUnit') ?? 's') === 's' ? finiteNumber(element.attribute('DeltaT')) : undefined;

/** Joins the planes of one `Image` with the files that hold them. */
class ImageJoiner {
  readonly #files = new Map<string, string>();
  readonly #planes = new Map<string, PlaneDetail>();
  #block = '';

  start(element: XmlElement): void {
    const index = (name: string): number => wholeNumber(element.attribute(name)) ?? 0;
    if (element.name === 'TiffData') this.#block = `${index('FirstC')}/${index('FirstZ')}/${index('FirstT')}`;
    else if (element.name === 'UUID') {
      const file = element.attribute('FileName');
      if (file !== undefined && this.#files.size < MAX_FILES) this.#files.set(this.#block, file);
    } else if (element.name === 'Plane' && this.#planes.size < MAX_FILES)
      this.#planes.set(
        `${index('TheC')}/${index('TheZ')}/${index('TheT')}`,
        known({
          xUm: micrometres(element, 'PositionX', false),
          yUm: micrometres(element, 'PositionY', false),
          zUm: micrometres(element, 'PositionZ', false),
          elapsedS: seconds(element),
        }),
      );
  }

  finish(details: Map<string, PlaneDetail>): void {
    for (const [key, file] of this.#files) {
      const detail = this.#planes.get(key);
      const name = file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1);
      if (detail && details.size < MAX_FILES) details.set(name, detail);
    }
  }
}

/**
 * Reads `metadata.ome.xml` (OME-XML): pixel size, names of channels, and for each file named by a `TiffData/UUID` the
 * position of its `Plane`, where that has a unit. Source: OME-XML 2016-06 schema; that ScanR writes one beside its
 * images: Fractal's ScanR converter.
 * @throws BadMetadataError, UnreadableSourceError, CancelledError
 */
export async function readScanROme(path: string, signal: AbortSignal): Promise<ScanROme> {
  const channels: string[] = [];
  const details = new Map<string, PlaneDetail>();
  let size: ScanROme['pixelSizeUm'];
  let image: ImageJoiner | undefined;
  let images = 0;
  const start = (element: XmlElement): XmlWish => {
    switch (element.name) {
      case 'Image':
        image = new ImageJoiner();
        images += 1;
        break;
      case 'Pixels': {
        const x = micrometres(element, 'PhysicalSizeX', true);
        const y = micrometres(element, 'PhysicalSizeY', true);
        if (x !== undefined && y !== undefined && x > 0 && y > 0) size ??= { x, y };
        break;
      }
      case 'Channel':
        if (images === 1) channels.push(element.attribute('Name') ?? '');
        break;
      default:
        image?.start(element);
    }
    return 'children';
  };
  await scanXmlFile(
    path,
    {
      start,
      end(name) {
        if (name !== 'Image') return;
        image?.finish(details);
        image = undefined;
      },
    },
    signal,
  );
  return { ...known({ pixelSizeUm: size }), channels: channels.filter((name) => name !== ''), details };
}
