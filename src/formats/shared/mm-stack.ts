import { BadTiffError, CancelledError, explain, PlateFsError } from '../../core/errors.ts';
import type { PlaneShape } from '../../model/plate-index.ts';
import type { MmFrame, MmSummary } from './mm-frame.ts';
import { MAX_FRAMES_READ, type MmPlanes } from './mm-planes.ts';
import { type IndexMapEntry, readIndexMap, readMmHeader, readMmSummary, tryMmFrame } from './mm-tiff.ts';
import type { MmWarnings } from './mm-warnings.ts';
import type { PlateSurvey } from './plate-survey.ts';
import { type TiffDirectory, TiffLook } from './tiff-look.ts';

/** `<prefix>_MMStack_Pos0.ome.tif`, `…_1.ome.tif` where 4 GB were full; `_MMStack.ome.tif` without positions. */
const STACK = /^(.*)_MMStack(?:_.*)?\.(?:ome\.)?tiff?$/i;

/** The prefix of a stack's name; undefined for a file that is none. */
export const stackPrefix = (name: string): string | undefined => STACK.exec(name)?.[1];

const itemBytes: Readonly<Record<string, number>> = { uint8: 1, uint16: 2, uint32: 4, float32: 4 };

/** The shape of a plane, where the directory is that of one. */
function shapeOf({ width, height, samples, dtype }: TiffDirectory): PlaneShape | undefined {
  return samples === 1 && dtype !== undefined && width > 0 && height > 0
    ? { width, height, dtype }
    : undefined;
}

/**
 * Whether entries, sorted by place, lie so close that no other image fits between them: all images of a stack have
 * one size, and less than two of them lie between neighbours.
 */
function isGapless(look: TiffLook, entries: readonly IndexMapEntry[], imageBytes: number): boolean {
  if (entries[0]?.offset !== look.firstDirectory) return false;
  return entries.every(({ offset }, i) => {
    const before = entries[i - 1];
    return !before || (offset - before.offset >= imageBytes && offset - before.offset < 2 * imageBytes);
  });
}

interface StackFile {
  readonly file: number;
  readonly path: string;
  readonly look: TiffLook;
  /** Labels of the positions in this file. */
  readonly names: Map<number, string>;
}

/** Reads MMStack files: each has its own images, an index map of them at its end and metadata of each. */
export class MmStackReader {
  readonly #survey: PlateSurvey;
  readonly #planes: MmPlanes;
  readonly #warnings: MmWarnings;
  readonly #signal: AbortSignal;
  summary: MmSummary | undefined;

  constructor(survey: PlateSurvey, planes: MmPlanes, warnings: MmWarnings, signal: AbortSignal) {
    this.#survey = survey;
    this.#planes = planes;
    this.#warnings = warnings;
    this.#signal = signal;
  }

  /** @throws CancelledError */
  async read(path: string, file: number): Promise<void> {
    try {
      await using look = await TiffLook.open(`${this.#survey.root}/${path}`);
      this.#survey.builder.addEvidence(file, look.sizeBytes, look.mtimeMs);
      const header = await readMmHeader(look);
      if (header?.kind !== 'stack') throw look.bad('it lacks the header of a Micro-Manager stack');
      if (header.summary && !this.summary) this.summary = await readMmSummary(look, header.summary);
      const map = await readIndexMap(look, header.indexMapOffset);
      const first = await look.directory(look.firstDirectory);
      const shape = shapeOf(first);
      if (!shape) {
        this.#warnings.colour.add(path);
        return;
      }
      const imageBytes = shape.width * shape.height * (itemBytes[shape.dtype] ?? 8);
      const isLarge = this.#planes.count + (map?.length ?? 0) > MAX_FRAMES_READ;
      const stack = { file, path, look, names: new Map<number, string>() };
      if (map && isLarge && isGapless(look, map, imageBytes)) await this.#addByMap(stack, map, shape);
      else await this.#addByChain(stack, map);
    } catch (error) {
      if (error instanceof CancelledError || !(error instanceof PlateFsError)) throw error;
      this.#warnings.damaged.add(path, explain(error).replaceAll(`${this.#survey.root}/`, ''));
    }
  }

  /** Of a large stack only the first image of each position is asked for its metadata. */
  async #addByMap(stack: StackFile, map: readonly IndexMapEntry[], shape: PlaneShape): Promise<void> {
    const asked = new Set<number>();
    for (const [page, entry] of map.entries()) {
      if (this.#signal.aborted) throw new CancelledError('indexing was cancelled');
      const frame = asked.has(entry.position)
        ? undefined
        : await this.#frame(stack, await stack.look.directory(entry.offset));
      asked.add(entry.position);
      this.#add(stack, page, shape, entry, frame);
    }
  }

  /** Walks the chain; images that the map lacks are told by their own metadata. */
  async #addByChain(stack: StackFile, map: readonly IndexMapEntry[] | undefined): Promise<void> {
    const { look, path } = stack;
    const byOffset = new Map(map?.map((entry) => [entry.offset, entry]));
    let page = 0;
    try {
      for await (const directory of look.directories()) {
        if (this.#signal.aborted) throw new CancelledError('indexing was cancelled');
        const shape = shapeOf(directory);
        const frame = await this.#frame(stack, directory);
        const place = byOffset.get(directory.offset) ?? (map ? undefined : placeOf(frame));
        if (!shape) this.#warnings.colour.add(path, `image ${page} of ${path}`);
        else if (!place) this.#warnings.unwritten.add(path, `image ${page} of ${path}`);
        else this.#add(stack, page, shape, place, frame);
        page += 1;
      }
    } catch (error) {
      if (!(error instanceof BadTiffError) || page === 0) throw error;
      // Without an index map the stack is being acquired: its chain ends with a link to what is not there yet.
      if (map) this.#warnings.damaged.add(path, explain(error).replaceAll(`${this.#survey.root}/`, ''));
    }
  }

  async #frame({ look, path }: StackFile, { microManager }: TiffDirectory): Promise<MmFrame | undefined> {
    if (!microManager) return undefined;
    return await tryMmFrame(look, microManager, (error) =>
      this.#warnings.badMetadata.add(path, error.message),
    );
  }

  #add(
    { file, path, names }: StackFile,
    page: number,
    shape: PlaneShape,
    { channel, z, t, position }: Omit<IndexMapEntry, 'offset'>,
    frame: MmFrame | undefined,
  ): void {
    const name = names.get(position) ?? frame?.positionName ?? this.summary?.positionNames[position];
    if (name !== undefined) names.set(position, name);
    // Files that were merged into one folder may count positions each from 0.
    const number = this.#planes.position(`${position} ${name ?? ''}`, {
      order: position,
      ...(name === undefined ? {} : { name }),
    });
    this.#planes.add({
      file,
      path,
      page,
      shape,
      position: number,
      channel,
      z,
      t,
      ...(frame ? { frame } : {}),
    });
  }
}

function placeOf(frame: MmFrame | undefined): Omit<IndexMapEntry, 'offset'> | undefined {
  if (!frame) return undefined;
  const { channel, z, t, position } = frame;
  if (channel === undefined || z === undefined || t === undefined) return undefined;
  return { channel, z, t, position: position ?? 0 };
}
