import { finiteNumber, known, plainText, positiveNumber, wholeNumber } from '../../core/metadata-values.ts';
import type { ChannelFacts, PlateFacts } from '../../model/plate.ts';
import type { XmlElement, XmlWish } from '../../xml/xml-scanner.ts';

const MAX_WAVES = 4096;
const MICROMETRE = /^(?:[µμu]m|microns?)$/i;

const text = (element: XmlElement, name: string): string | undefined => plainText(element.attribute(name));

const count = (value: string | undefined): number | undefined => {
  const number = wholeNumber(value);
  return number !== undefined && number > 0 ? number : undefined;
};

interface Wave {
  readonly index: number;
  readonly label: string | undefined;
  readonly mode: string | undefined;
  readonly zStepUm: number | undefined;
  excitation?: string;
  emission?: string;
  excitationNm?: number;
  emissionNm?: number;
}

/** The value of a length attribute that is in µm by the element's `unit`. */
export function micrometres(element: XmlElement, name: string): number | undefined {
  return MICROMETRE.test(text(element, 'unit') ?? '') ? finiteNumber(text(element, name)) : undefined;
}

/**
 * What the `AutoLeadAcquisitionProtocol` of an xdce tells: ObjectiveCalibration (pixel_width, pixel_height, unit),
 * Wavelengths, Plate (rows, columns), the Layout of fields. As found in files of IN Cell 2000 and 6000. What it
 * lacks is absent.
 */
export class InCellProtocol {
  /** Unit of the pixel size where it is no known unit of length. */
  unknownUnit: string | undefined;
  plate: Pick<PlateFacts, 'pixelSizeUm' | 'plateRows' | 'plateColumns'> = {};
  /** Name of the kind of plate. */
  plateType: string | undefined;
  #layout: { rows: number; columns: number } | undefined;
  #fieldCount: number | undefined;
  readonly #waves = new Map<number, Wave>();
  #wave: Wave | undefined;

  start(element: XmlElement): XmlWish {
    switch (element.name) {
      case 'AutoLeadAcquisitionProtocol':
      case 'Wavelengths':
      case 'PlateMap':
      case 'AcquisitionMode':
        return 'children';
      case 'Wavelength':
        return this.#startWave(element);
      case 'ExcitationFilter':
        this.#filter(element, 'excitation');
        break;
      case 'EmissionFilter':
        this.#filter(element, 'emission');
        break;
      case 'ObjectiveCalibration':
        this.#calibrate(element);
        break;
      case 'Plate':
        this.plateType ??= text(element, 'name');
        this.plate = {
          ...this.plate,
          ...known({
            plateRows: count(text(element, 'rows')),
            plateColumns: count(text(element, 'columns')),
          }),
        };
        break;
      case 'Layout': {
        const rows = count(text(element, 'rows'));
        const columns = count(text(element, 'columns'));
        if (rows !== undefined && columns !== undefined) this.#layout ??= { rows, columns };
        break;
      }
      case 'FieldOffsets':
        this.#fieldCount ??= count(text(element, 'number_of_fields'));
        break;
      default:
    }
    return 'skip';
  }

  /** Fields as the protocol lays them out, where they fill the rectangle. */
  grid(): Pick<PlateFacts, 'grid'> {
    const layout = this.#layout;
    return layout && layout.rows * layout.columns === this.#fieldCount ? { grid: layout } : {};
  }

  /** Distance of slices that all waves share. */
  zStepUm(): number | undefined {
    const steps = new Set([...this.#waves.values()].map(({ zStepUm }) => zStepUm));
    return steps.size === 1 ? [...steps][0] : undefined;
  }

  /** Channels by wave index + 1; named by their label, their emission filter, or both filters where two share one. */
  channels(): ChannelFacts[] {
    const waves = [...this.#waves.values()].sort((a, b) => a.index - b.index);
    const emissions = waves.map(({ emission }) => emission);
    return waves.map((wave) => {
      const { index, label, emission, emissionNm, excitationNm } = wave;
      const shared = emissions.filter((other) => other === emission).length > 1;
      const name = label ?? (shared ? waveName(wave) : emission);
      return { number: index + 1, ...known({ name, emissionNm, excitationNm }) };
    });
  }

  /** Channel → `Max Intensity Projection` …, as the protocol has it. */
  modes(): Map<number, string> {
    const modes = new Map<number, string>();
    for (const { index, mode } of this.#waves.values()) if (mode !== undefined) modes.set(index + 1, mode);
    return modes;
  }

  /** The one channel whose filters an image's name writes: `Blue - FITC`. */
  channelOf(wave: string): number | undefined {
    const found = [...this.#waves.values()].filter((one) => waveName(one) === wave);
    return found.length === 1 ? (found[0]?.index ?? 0) + 1 : undefined;
  }

  #startWave(element: XmlElement): XmlWish {
    const index = wholeNumber(text(element, 'index'));
    this.#wave = undefined;
    if (index === undefined || index > 0xfffe || this.#waves.has(index) || this.#waves.size >= MAX_WAVES)
      return 'skip';
    this.#wave = {
      index,
      label: text(element, 'label'),
      mode: text(element, 'imaging_mode'),
      zStepUm: positiveNumber(text(element, 'z_step')),
    };
    this.#waves.set(index, this.#wave);
    return 'children';
  }

  #filter(element: XmlElement, side: 'excitation' | 'emission'): void {
    const wave = this.#wave;
    if (!wave) return;
    const name = text(element, 'name');
    const nm = text(element, 'unit') === 'nm' ? positiveNumber(text(element, 'wavelength')) : undefined;
    if (name !== undefined) wave[side] = name;
    if (nm !== undefined) wave[`${side}Nm`] = nm;
  }

  #calibrate(element: XmlElement): void {
    const x = positiveNumber(text(element, 'pixel_width'));
    const y = positiveNumber(text(element, 'pixel_height'));
    if (x === undefined || y === undefined) return;
    if (MICROMETRE.test(text(element, 'unit') ?? '')) this.plate = { ...this.plate, pixelSizeUm: { x, y } };
    else this.unknownUnit = text(element, 'unit') ?? 'none';
  }
}

function waveName({ excitation, emission }: Wave): string | undefined {
  return excitation === undefined || emission === undefined ? undefined : `${excitation} - ${emission}`;
}
