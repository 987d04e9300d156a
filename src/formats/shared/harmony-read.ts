import { stat } from 'node:fs/promises';
import { BadMetadataError, UnreadableSourceError } from '../../core/errors.ts';
import type { PlateFacts, PlateWarning } from '../../model/plate.ts';
import type { HarmonyFiles } from './harmony-files.ts';
import { HarmonyFinder } from './harmony-finder.ts';
import { HarmonyIndex } from './harmony-index.ts';
import { wholeNumber } from './harmony-number.ts';
import { scanXmlFile } from './xml-file.ts';

export interface HarmonyReading {
  readonly index?: HarmonyIndex;
  readonly evidence: readonly {
    readonly file: number;
    readonly sizeBytes: number;
    readonly mtimeMs: number;
  }[];
  readonly warnings: readonly PlateWarning[];
}

/**
 * Reads a plate's Index: `Index.idx.xml` before `Index.xml` before `Index.ref.xml`, in `Images` before above it.
 * One that can't be understood to its end is told and not used at all, for half of the positions would number
 * the fields differently; then the next is read.
 */
export async function readHarmonyIndex(
  root: string,
  files: HarmonyFiles,
  signal: AbortSignal,
): Promise<HarmonyReading> {
  const evidence: { file: number; sizeBytes: number; mtimeMs: number }[] = [];
  const warnings: PlateWarning[] = [];
  const candidates = [...files.indexes].sort((a, b) => a.rank - b.rank || b.folder.length - a.folder.length);
  for (const { path, folder, file } of candidates) {
    try {
      const { size, mtimeNs } = await stat(`${root}/${path}`, { bigint: true });
      evidence.push({ file, sizeBytes: Number(size), mtimeMs: Number(mtimeNs) / 1e6 });
      const index = new HarmonyIndex(path, new HarmonyFinder(files.images, folder));
      await scanXmlFile(`${root}/${path}`, index, signal);
      return { index, evidence, warnings };
    } catch (error) {
      const isItsOwn = error instanceof BadMetadataError || error instanceof UnreadableSourceError;
      if (!isItsOwn && !(error instanceof Error && 'syscall' in error)) throw error;
      warnings.push({
        kind: 'bad-metadata',
        message: `${path} was passed over: ${error.message}`,
        files: [path],
        rule: 'another Index is used, or file names alone; what only this one knows is absent',
      });
    }
  }
  return { evidence, warnings };
}

/** What an Index says of files and of itself that is not as it should be. */
export function indexWarnings(index: HarmonyIndex): PlateWarning[] {
  const { path } = index;
  const byName = 'where their files exist, file names say what they are';
  const several: PlateWarning[] =
    index.plateCount > 1
      ? [
          {
            kind: 'several-plates',
            message: `${path} describes ${index.plateCount} plates, and its images don't say whose they are`,
            files: [path],
            rule: 'all are shown as one plate under the name of the first; export plates one by one to tell them apart',
          },
        ]
      : [];
  return [
    ...several,
    ...index.absent.tell(
      'absent-image',
      `image that ${path} lists is not on disk`,
      `images that ${path} lists are not on disk`,
      'they are not shown',
    ),
    ...index.unsafe.tell(
      'unsafe-path',
      `image of ${path} lies outside the plate`,
      `images of ${path} lie outside the plate`,
      'no file outside is opened',
    ),
    ...index.misnamed.tell(
      'contradiction',
      `image of ${path} is something else by its file name`,
      `images of ${path} are something else by their file names`,
      'the Index says what they are',
    ),
    ...index.claimed.tell(
      'contradiction',
      `image of ${path} is listed twice as different planes`,
      `images of ${path} are listed twice as different planes`,
      'the entry that agrees with the file name is used, else the first',
    ),
    ...index.repeated.tell(
      'bad-metadata',
      `image of ${path} is listed twice`,
      `images of ${path} are listed twice`,
      'the first entry is used',
    ),
    ...index.incomplete.tell(
      'bad-metadata',
      `image of ${path} lacks a number or has an impossible one`,
      `images of ${path} lack a number or have an impossible one`,
      byName,
    ),
    ...index.foreign.tell(
      'unrecognised-name',
      `image of ${path} is no TIFF`,
      `images of ${path} are no TIFFs`,
      'they are reachable under source/ only',
    ),
    ...index.notOk.tell(
      'image-state',
      `image of ${path} was not taken as planned`,
      `images of ${path} were not taken as planned`,
      'they are shown as they are',
    ),
  ];
}

function positive(text: string | undefined): number | undefined {
  const value = wholeNumber(text ?? '');
  return value > 0 ? value : undefined;
}

/** Name and extent of the plate, and what else is worth to be seen in `inspect`. */
export function plateFacts(
  index: HarmonyIndex,
): Partial<Pick<PlateFacts, 'name' | 'plateRows' | 'plateColumns'>> & Pick<PlateFacts, 'declared'> {
  const [plate = {}] = index.plates;
  const name = plate.Name?.trim() || plate.PlateID?.trim();
  const plateRows = positive(plate.PlateRows);
  const plateColumns = positive(plate.PlateColumns);
  const declared: Record<string, string> = {};
  const declare = (key: string, value: string | undefined): void => {
    if (value !== undefined && value.trim() !== '') declared[key] = value.trim();
  };
  declare('InstrumentType', index.instrument);
  declare('PlateID', plate.PlateID);
  declare('PlateTypeName', plate.PlateTypeName);
  declare('MeasurementID', plate.MeasurementID);
  declare('MeasurementStartTime', plate.MeasurementStartTime);
  return {
    ...(name ? { name } : {}),
    ...(plateRows === undefined ? {} : { plateRows }),
    ...(plateColumns === undefined ? {} : { plateColumns }),
    declared,
  };
}
