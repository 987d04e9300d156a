import { recordedPath } from '../../core/recorded-path.ts';
import { compareNatural } from '../../model/natural-order.ts';
import type { MmFrame, MmSummary } from './mm-frame.ts';
import { parseMmImageName } from './mm-image-name.ts';
import { readMetadataTxt } from './mm-metadata-txt.ts';
import type { MmPlanes } from './mm-planes.ts';
import type { MmWarnings } from './mm-warnings.ts';
import type { PlateSurvey, SurveyedFile } from './plate-survey.ts';

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const inFolder = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

/** Reads acquisitions saved as one file per image, in a folder per position with a `metadata.txt` in each. */
export class MmSingleReader {
  readonly #survey: PlateSurvey;
  readonly #planes: MmPlanes;
  readonly #warnings: MmWarnings;
  readonly #signal: AbortSignal;
  readonly #frames = new Map<string, MmFrame>();
  /** Label of each folder's position. */
  readonly #labels = new Map<string, string>();
  summary: MmSummary | undefined;

  constructor(survey: PlateSurvey, planes: MmPlanes, warnings: MmWarnings, signal: AbortSignal) {
    this.#survey = survey;
    this.#planes = planes;
    this.#warnings = warnings;
    this.#signal = signal;
  }

  /** `paths` are the images of the plate that {@link parseMmImageName} reads. @throws CancelledError */
  async read(metadata: readonly SurveyedFile[], paths: readonly string[]): Promise<void> {
    for (const file of metadata) await this.#readMetadata(file);
    const folders = [...new Set(paths.map(folderOf))].sort(compareNatural);
    const orders = new Map(folders.map((folder, order) => [folder, order]));
    for (const path of [...paths].sort(compareNatural)) this.#add(path, orders);
    for (const path of this.#frames.keys())
      if (!this.#survey.images.has(path)) this.#warnings.absent.add(path);
  }

  async #readMetadata(file: SurveyedFile): Promise<void> {
    const folder = folderOf(file.path);
    await this.#survey.consult(
      file,
      (path) =>
        readMetadataTxt(
          path,
          {
            summary: (summary) => {
              this.summary ??= summary;
            },
            frame: (frame, fileName) => this.#takeFrame(file, folder, frame, fileName),
            damaged: (detail) => this.#warnings.badMetadata.add(file.path, `${file.path}: ${detail}`),
          },
          this.#signal,
        ),
      'images are told by their names alone',
    );
  }

  #takeFrame({ path }: SurveyedFile, folder: string, frame: MmFrame, fileName: string | undefined): void {
    if (frame.positionName !== undefined && !this.#labels.has(folder))
      this.#labels.set(folder, frame.positionName);
    if (fileName === undefined || parseMmImageName(fileName) === undefined) return;
    if (recordedPath(fileName) === undefined) this.#warnings.unsafe.add(path, JSON.stringify(fileName));
    else this.#frames.set(inFolder(folder, fileName), frame);
  }

  #add(path: string, orders: ReadonlyMap<string, number>): void {
    const folder = folderOf(path);
    const name = parseMmImageName(baseName(path));
    const file = this.#survey.images.get(path);
    if (!name || file === undefined) return;
    const frame = this.#frames.get(path);
    this.#compare(path, name, frame);
    const { position: numbered } = name;
    const label = this.#label(folder, frame);
    const position = this.#planes.position(`${folder}/${numbered ?? ''}`, {
      order: numbered ?? orders.get(folder) ?? 0,
      ...(label === undefined ? {} : { name: label }),
    });
    const { channel, z, t } = name;
    this.#planes.add({ file, path, position, channel, z, t, ...(frame ? { frame } : {}) });
  }

  /** The label in the metadata, else the folder's name, where there are folders for positions. */
  #label(folder: string, frame: MmFrame | undefined): string | undefined {
    const told = frame?.positionName ?? (folder === '' ? undefined : this.#labels.get(folder));
    if (told !== undefined || folder === '') return told;
    return baseName(folder);
  }

  /** Names are made out of the metadata: where they differ, somebody renamed the file. */
  #compare(path: string, name: { z: number; t: number }, frame: MmFrame | undefined): void {
    if (!frame) return;
    const differs = (a: number, b: number | undefined): boolean => b !== undefined && a !== b;
    if (differs(name.z, frame.z) || differs(name.t, frame.t))
      this.#warnings.renamed.add(path, `${path}: z ${frame.z} and time ${frame.t} in metadata.txt, from 0`);
  }
}
