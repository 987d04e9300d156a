import { CancelledError, explain, PlateFsError } from '../../core/errors.ts';
import { recordedPath } from '../../core/recorded-path.ts';
import { readMetadata } from './metadata-file.ts';
import type { MmSummary } from './mm-frame.ts';
import { MAX_FRAMES_READ, type MmPlanes } from './mm-planes.ts';
import type { MmPosition } from './mm-position.ts';
import { readMmHeader, readMmSummary, tryMmFrame } from './mm-tiff.ts';
import type { MmWarnings } from './mm-warnings.ts';
import { type NdTiffEntry, readNdTiffIndex } from './ndtiff-index.ts';
import { findNdTiffPages } from './ndtiff-pages.ts';
import type { PlateSurvey, SurveyedFile } from './plate-survey.ts';
import { TiffLook } from './tiff-look.ts';

/** About 100 bytes an image. */
const MAX_INDEX_BYTES = 1 << 30;
/** Axes that have a place in a plane's name, or make its field. */
const PLACED_AXES = new Set(['channel', 'z', 'time', 'position', 'row', 'column']);

const wholeAxis = (entry: NdTiffEntry, axis: string): number => {
  const value = entry.axes.get(axis);
  return typeof value === 'number' && Number.isInteger(value) ? value : 0;
};

/** What tells fields apart: every axis that is no channel, z or time. */
function fieldOf(entry: NdTiffEntry): { key: string; position: MmPosition } {
  const value = entry.axes.get('position');
  const isTiled = entry.axes.has('row') || entry.axes.has('column');
  const tile = { row: wholeAxis(entry, 'row'), column: wholeAxis(entry, 'column') };
  const others = [...entry.axes]
    .filter(([axis]) => !PLACED_AXES.has(axis))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([axis, at]) => `${axis} ${at}`)
    .join(', ');
  return {
    key: JSON.stringify([value ?? null, isTiled ? tile : null, others]),
    position: {
      ...(typeof value === 'string' ? { name: value } : {}),
      order: typeof value === 'number' ? value : 0,
      ...(isTiled ? { tile } : {}),
      ...(others === '' ? {} : { others }),
    },
  };
}

/** Reads an NDTiff data set, versions 2 and 3: its index says what each image is, the TIFFs where it lies. */
export class NdTiffReader {
  readonly #survey: PlateSurvey;
  readonly #planes: MmPlanes;
  readonly #warnings: MmWarnings;
  readonly #signal: AbortSignal;
  /** From the first file that has it. */
  summary: MmSummary | undefined;

  constructor(survey: PlateSurvey, planes: MmPlanes, warnings: MmWarnings, signal: AbortSignal) {
    this.#survey = survey;
    this.#planes = planes;
    this.#warnings = warnings;
    this.#signal = signal;
  }

  /** @throws CancelledError */
  async read(index: SurveyedFile): Promise<void> {
    const files = await this.#survey.consult(
      index,
      async (path) => this.#readIndex(index, await readMetadata(path, MAX_INDEX_BYTES, this.#signal)),
      'images behind the fault are not shown',
    );
    if (!files) return;
    let count = 0;
    for (const entries of files.values()) count += entries.length;
    for (const [path, entries] of files) await this.#readFile(path, entries, count <= MAX_FRAMES_READ);
  }

  /** Entries by the TIFF that holds them. */
  #readIndex({ path }: SurveyedFile, bytes: Buffer): Map<string, NdTiffEntry[]> {
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    const files = new Map<string, NdTiffEntry[]>();
    const strange = new Set<string>();
    const truncated = (): void => this.#warnings.unwritten.add(path, `the last entry of ${path}`);
    try {
      for (const entry of readNdTiffIndex(path, bytes, truncated)) {
        for (const axis of entry.axes.keys())
          if (!PLACED_AXES.has(axis) && strange.size < 64) strange.add(axis);
        const name = recordedPath(entry.fileName);
        if (name === undefined) {
          this.#warnings.unsafe.add(path, JSON.stringify(entry.fileName));
          continue;
        }
        const entries = files.get(folder + name);
        if (entries) entries.push(entry);
        else files.set(folder + name, [entry]);
      }
    } catch (error) {
      // What comes before a damaged entry is good.
      if (!(error instanceof PlateFsError)) throw error;
      this.#warnings.badMetadata.add(path, explain(error));
    }
    for (const axis of strange) this.#warnings.axes.add(path, axis);
    return files;
  }

  async #readFile(path: string, entries: readonly NdTiffEntry[], readsFrames: boolean): Promise<void> {
    const file = this.#survey.images.get(path);
    if (file === undefined) {
      this.#warnings.absent.add(path, `${path}, with ${entries.length} images`);
      return;
    }
    try {
      await using look = await TiffLook.open(`${this.#survey.root}/${path}`);
      this.#survey.builder.addEvidence(file, look.sizeBytes, look.mtimeMs);
      const header = await readMmHeader(look);
      if (header?.summary && !this.summary) this.summary = await readMmSummary(look, header.summary);
      const { pages, unwritten, astray } = await findNdTiffPages(look, entries, this.#signal);
      for (const entry of unwritten) this.#warnings.unwritten.add(path, this.#told(path, entry));
      for (const entry of astray) this.#warnings.astray.add(path, this.#told(path, entry));
      await this.#addEntries({ file, path, look }, entries, pages, readsFrames);
    } catch (error) {
      if (error instanceof CancelledError || !(error instanceof PlateFsError)) throw error;
      this.#warnings.damaged.add(path, explain(error).replaceAll(`${this.#survey.root}/`, ''));
    }
  }

  #told(path: string, { axes }: NdTiffEntry): string {
    return `${JSON.stringify(Object.fromEntries(axes))} in ${path}`;
  }

  async #addEntries(
    { file, path, look }: { file: number; path: string; look: TiffLook },
    entries: readonly NdTiffEntry[],
    pages: ReadonlyMap<NdTiffEntry, number>,
    readsFrames: boolean,
  ): Promise<void> {
    // An image that was saved again stands in the index twice: the later one counts.
    const latest = new Map<string, NdTiffEntry>();
    for (const entry of entries) latest.set(JSON.stringify([...entry.axes].sort()), entry);
    const asked = new Set<number>();
    for (const entry of latest.values()) {
      if (this.#signal.aborted) throw new CancelledError('indexing was cancelled');
      const page = pages.get(entry);
      if (page === undefined) continue;
      const { width, height, dtype, isCompressed } = entry;
      if (dtype === undefined || isCompressed || width < 1 || height < 1) {
        this.#warnings.colour.add(path, this.#told(path, entry));
        continue;
      }
      const { key, position } = fieldOf(entry);
      const number = this.#planes.position(key, position);
      const range = { offset: entry.metadataOffset, length: entry.metadataBytes };
      const frame =
        readsFrames || !asked.has(number)
          ? await tryMmFrame(look, range, (error) => this.#warnings.badMetadata.add(path, error.message))
          : undefined;
      asked.add(number);
      if (frame?.positionName !== undefined && position.name === undefined && !position.tile)
        this.#planes.position(key, { ...position, name: frame.positionName });
      const channel = entry.axes.get('channel') ?? 0;
      this.#planes.add({
        file,
        path,
        page,
        shape: { width, height, dtype },
        position: number,
        channel,
        z: wholeAxis(entry, 'z'),
        t: wholeAxis(entry, 'time'),
        ...(frame ? { frame: nameOfAxis(frame, channel) } : {}),
      });
    }
  }
}

/** The axis names the channel better than the metadata does, which may have a camera's. */
function nameOfAxis<T extends { readonly channelName?: string }>(frame: T, channel: number | string): T {
  if (typeof channel === 'number') return frame;
  return { ...frame, channelName: channel };
}
