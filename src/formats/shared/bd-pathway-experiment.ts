import { finiteNumber, known, plainText, positiveNumber, wholeNumber } from '../../core/metadata-values.ts';
import type { ChannelFacts, PlateFacts } from '../../model/plate.ts';
import { type IniFile, parseIni } from './ini-file.ts';
import { readMetadata } from './metadata-file.ts';
import { baseName } from './named-planes.ts';
import type { PlateSurvey, SurveyedFile } from './plate-survey.ts';

/** What the INI files in an experiment's folder tell; what they don't is absent. */
export interface BdExperiment {
  /** Names of the dyes, in the order of the channels. */
  readonly dyes: readonly string[];
  /** Planes of a stack; 1 where no stack was taken. */
  readonly zSlices: number;
  /** Fields that the instrument joined in each image. */
  readonly montage?: { readonly columns: number; readonly rows: number };
  readonly plate: Pick<PlateFacts, 'plateRows' | 'plateColumns'>;
  readonly objective?: string;
  /** Dye → wavelengths of its `.dye` file. */
  readonly wavelengths: ReadonlyMap<string, Pick<ChannelFacts, 'emissionNm' | 'excitationNm'>>;
}

const MAX_BYTES = 16 << 20;
const MAX_DYES = 256;
/** Plates by their number of wells. */
const PLATES = new Map([
  [6, { plateRows: 2, plateColumns: 3 }],
  [24, { plateRows: 4, plateColumns: 6 }],
  [48, { plateRows: 6, plateColumns: 8 }],
  [96, { plateRows: 8, plateColumns: 12 }],
  [384, { plateRows: 16, plateColumns: 24 }],
  [1536, { plateRows: 32, plateColumns: 48 }],
]);

const value = (ini: IniFile | undefined, section: string, key: string): string | undefined =>
  ini?.get(section)?.get(key);

/** `Dyes` of the section General is their number, the section Dyes has their names by number. */
function dyesOf(ini: IniFile | undefined): string[] {
  const count = Math.min(wholeNumber(value(ini, 'General', 'Dyes')) ?? 0, MAX_DYES);
  const dyes: string[] = [];
  for (let i = 1; i <= count; i += 1) {
    const name = value(ini, 'Dyes', String(i));
    if (name !== undefined && name !== '' && !dyes.includes(name)) dyes.push(name);
  }
  return dyes;
}

/** A stack has one slice more than `Z1AxisValue` has steps. */
function zSlicesOf(ini: IniFile | undefined): number {
  const isStack = value(ini, 'Z1Axis', 'Z1AxisEnabled') === '1' && value(ini, 'Z1Axis', 'Z1AxisMode') === '1';
  const steps = finiteNumber(value(ini, 'Z1Axis', 'Z1AxisValue'));
  return isStack && steps !== undefined && steps >= 0 ? Math.floor(steps) + 1 : 1;
}

function montageOf(ini: IniFile | undefined): Pick<BdExperiment, 'montage'> {
  if (value(ini, 'Image', 'Montaged') !== '1') return {};
  const columns = wholeNumber(value(ini, 'Image', 'TilesX')) ?? 0;
  const rows = wholeNumber(value(ini, 'Image', 'TilesY')) ?? 0;
  return columns * rows > 1 ? { montage: { columns, rows } } : {};
}

/** `515 LP` of a filter: a wavelength only where the text begins with one. */
const nanometres = (text: string | undefined): number | undefined => {
  const number = /^(\d{3,4}(?:\.\d+)?)(?:\s|nm|$)/i.exec(text ?? '')?.[1];
  return positiveNumber(number);
};

/**
 * Reads `Experiment.exp` (General, Dyes, Image, Geometry), the `.plt` (PlateType), the `.xyz` (Z1Axis) and the `.dye`
 * files (Numerator) in the plate's own folder. Sections and keys: Bio-Formats' BDReader.
 * @throws CancelledError; what can't be read or understood is a warning of the survey.
 */
export async function readBdExperiment(survey: PlateSurvey, signal: AbortSignal): Promise<BdExperiment> {
  const read = (file: SurveyedFile | undefined): Promise<IniFile | undefined> | undefined =>
    file &&
    survey.consult(
      file,
      async (path) => parseIni(await readMetadata(path, MAX_BYTES, signal)),
      'the names of folders and images decide; what only this file knows is absent',
    );
  const ending = (text: string): SurveyedFile | undefined => survey.metadataNamed(text)[0];
  const experiment = await read(
    survey.metadataNamed('.exp').find(({ path }) => path.toLowerCase() === 'experiment.exp'),
  );
  const wells = wholeNumber(value(await read(ending('.plt')), 'PlateType', 'Wells'));
  const wavelengths = new Map<string, Pick<ChannelFacts, 'emissionNm' | 'excitationNm'>>();
  for (const file of survey.metadataNamed('.dye').slice(0, MAX_DYES)) {
    const dye = await read(file);
    wavelengths.set(
      baseName(file.path).slice(0, -'.dye'.length),
      known({
        emissionNm: nanometres(value(dye, 'Numerator', 'Emission')),
        excitationNm: nanometres(value(dye, 'Numerator', 'Excitation')),
      }),
    );
  }
  return {
    dyes: dyesOf(experiment),
    zSlices: zSlicesOf(await read(ending('.xyz'))),
    ...montageOf(experiment),
    plate: PLATES.get(wells ?? 0) ?? {},
    ...known({ objective: plainText(value(experiment, 'Geometry', 'Name')) }),
    wavelengths,
  };
}
