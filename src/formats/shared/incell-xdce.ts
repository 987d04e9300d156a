import { BadMetadataError } from '../../core/errors.ts';
import { fromZero, known, plainText, positiveNumber, wholeNumber } from '../../core/metadata-values.ts';
import { parseWellName } from '../../model/well.ts';
import type { XmlElement, XmlWish } from '../../xml/xml-scanner.ts';
import { InCellProtocol, micrometres } from './incell-protocol.ts';
import type { ListedPlane } from './listed-planes.ts';
import type { NameReading } from './plane-place.ts';
import { scanXmlFile } from './xml-file.ts';

/** Gathers the elements of one `Image`. */
class ImageGatherer {
  readonly #path: string;
  readonly #acquiredAtMs: number | undefined;
  #label: string | undefined;
  #row: number | undefined;
  #column: number | undefined;
  #place: NameReading = {};
  #position: { xUm?: number; yUm?: number; zUm?: number } = {};

  constructor(element: XmlElement) {
    this.#path = element.attribute('filename') ?? '';
    const seconds = positiveNumber(element.attribute('timestamp_sec'));
    this.#acquiredAtMs = seconds === undefined ? undefined : seconds * 1e3;
  }

  start(element: XmlElement): XmlWish {
    switch (element.name) {
      case 'Well':
        this.#label = element.attribute('label')?.trim();
        return 'children';
      case 'Row':
        this.#row = wholeNumber(element.attribute('number'));
        break;
      case 'Column':
        this.#column = wholeNumber(element.attribute('number'));
        break;
      case 'Identifier':
        this.#place = known({
          site: fromZero(element.attribute('field_index')),
          channel: fromZero(element.attribute('wave_index')),
          z: fromZero(element.attribute('z_index')),
          t: fromZero(element.attribute('time_index')),
        });
        break;
      case 'OffsetFromWellCenter':
        this.#position = {
          ...this.#position,
          ...known({ xUm: micrometres(element, 'x'), yUm: micrometres(element, 'y') }),
        };
        break;
      case 'FocusPosition':
        this.#position = { ...this.#position, ...known({ zUm: micrometres(element, 'z') }) };
        break;
      default:
    }
    return 'skip';
  }

  finish(): ListedPlane {
    const label = parseWellName(this.#label ?? '');
    const row = this.#row;
    const column = this.#column;
    const numbered =
      row === undefined || column === undefined ? undefined : { row: row - 1, column: column - 1 };
    const disagrees = label && numbered && (numbered.row !== label.row || numbered.column !== label.column);
    return {
      path: this.#path,
      ...(label ?? numbered),
      ...this.#place,
      ...this.#position,
      ...known({ acquiredAtMs: this.#acquiredAtMs }),
      ...(disagrees ? { otherWell: numbered } : {}),
    };
  }
}

/** What an xdce tells beside its images. */
export interface XdceFacts {
  readonly protocol: InCellProtocol;
  /** `PlateID`. */
  readonly name?: string;
  /** `IN Cell Analyzer 6000`. */
  readonly application?: string;
}

/**
 * Reads an `.xdce`, XML in ISO-8859-1: the protocol, then `Images/Image` with the file's name, the well's label
 * (`C - 3`), Row and Column from 1, an Identifier with indexes from 0, OffsetFromWellCenter (µm, y up) and the Unix
 * time. As found in files of IN Cell 6000. The facts are filled while it is read, the protocol before the images;
 * memory doesn't grow with the file.
 * @throws BadMetadataError, UnreadableSourceError, CancelledError
 */
export async function readXdce(
  path: string,
  told: (facts: XdceFacts) => void,
  image: (image: ListedPlane) => void,
  signal: AbortSignal,
): Promise<void> {
  const protocol = new InCellProtocol();
  let current: ImageGatherer | undefined;
  let name: string | undefined;
  await scanXmlFile(
    path,
    {
      start(element) {
        if (element.depth === 1) {
          if (element.name !== 'ImageStack') throw new BadMetadataError(path, 'holds no ImageStack');
          name = plainText(element.attribute('PlateID'));
          told({ protocol, ...known({ name }) });
          return 'children';
        }
        if (current) return current.start(element);
        if (element.name === 'Images') return 'children';
        if (element.name === 'Image') {
          current = new ImageGatherer(element);
          return 'children';
        }
        if (element.name === 'Application' && element.depth === 2)
          told({ protocol, ...known({ name, application: plainText(element.attribute('name')) }) });
        return protocol.start(element);
      },
      end(elementName) {
        if (elementName !== 'Image' || !current) return;
        image(current.finish());
        current = undefined;
      },
    },
    signal,
  );
}
