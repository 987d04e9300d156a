import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { BadMetadataError, SourceChangedError, UnreadableSourceError } from '../../core/errors.ts';
import { JsonReader } from './json-reader.ts';
import {
  type OpenHcsStore,
  type OpenHcsSubdirectory,
  type OpenHcsSurvey,
  surveyOpenHcs,
} from './openhcs-survey.ts';

/** Names the file has: OpenHCS's own, and what its storage library takes by itself. The better one first. */
const NAMES: readonly string[] = ['openhcs_metadata.json', 'polystore_metadata.json'];

/** The name of the metadata file in a folder of which `isThere` knows the files. */
export function openHcsFileName(isThere: (name: string) => boolean): string | undefined {
  return NAMES.find(isThere);
}

/** True for the metadata file, and for the lock that OpenHCS makes beside it while it writes. */
export function isOpenHcsFileName(name: string): boolean {
  return NAMES.includes(name.replace(/\.lock$/, ''));
}

/** One image as the file names it. */
export interface OpenHcsImage {
  /** Path as written; its last part is the name. */
  readonly virtual: string;
  /** Where a mapping says that the image lies. */
  readonly source?: OpenHcsReference;
  /** Why the entry can't be understood. */
  readonly fault?: string;
}

/** A mapping's value. */
export interface OpenHcsReference {
  /** `disk`, `ome_zarr`, `bioformats` */
  readonly backend: string;
  /** For `disk` a path, for the others a JSON text. */
  readonly address: string;
  /** Selects leading axes of what the address loads, one after another. */
  readonly axisIndices: readonly number[];
}

/** `openhcs_metadata.json`, open: what it says stays the same while it is replaced. */
export class OpenHcsFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly #fd: number;
  #survey: OpenHcsSurvey | undefined;

  /** @throws UnreadableSourceError */
  constructor(path: string) {
    this.path = path;
    try {
      // Without waiting, so that a pipe of this name can't hold us up.
      this.#fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (cause) {
      throw new UnreadableSourceError(path, "can't be opened", { cause, advice: 'check its permissions' });
    }
    const stat = fstatSync(this.#fd, { bigint: true });
    if (!stat.isFile()) {
      closeSync(this.#fd);
      throw new UnreadableSourceError(path, 'is not a file');
    }
    this.sizeBytes = Number(stat.size);
    this.mtimeMs = Number(stat.mtimeNs) / 1e6;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  /** @throws BadMetadataError, UnreadableSourceError */
  survey(): OpenHcsSurvey {
    this.#survey ??= this.#guard(() => surveyOpenHcs(new JsonReader(this.#fd, this.path), this.path));
    return this.#survey;
  }

  #guard<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      if (cause instanceof BadMetadataError) throw cause;
      throw new UnreadableSourceError(this.path, "can't be read", { cause });
    }
  }

  /**
   * The images of one subdirectory, in the file's order, read as they are taken.
   * @throws BadMetadataError, UnreadableSourceError; SourceChangedError when the file was written over meanwhile.
   */
  *images(subdirectory: OpenHcsSubdirectory, store: OpenHcsStore): Generator<OpenHcsImage> {
    const reader = new JsonReader(this.#fd, this.path);
    const wanted = store === 'mapping' ? 'workspace_mapping' : 'image_files';
    if (this.survey().isFlat) {
      yield* imagesIn(reader, wanted);
    } else {
      let place = 0;
      for (const key of reader.keys()) {
        if (key !== 'subdirectories' || reader.kind() !== 'object') continue;
        for (const _ of reader.keys()) {
          if (place === subdirectory.place && reader.kind() === 'object') yield* imagesIn(reader, wanted);
          place += 1;
        }
      }
    }
    const { size, mtimeNs } = fstatSync(this.#fd, { bigint: true });
    if (Number(size) !== this.sizeBytes || Number(mtimeNs) / 1e6 !== this.mtimeMs)
      throw new SourceChangedError(this.path, 'it was written while it was read', { advice: 'try again' });
  }
}

function* imagesIn(reader: JsonReader, wanted: string): Generator<OpenHcsImage> {
  for (const field of reader.keys()) {
    if (field !== wanted) continue;
    const kind = reader.kind();
    if (wanted === 'image_files' && kind === 'array')
      for (const place of reader.items()) {
        const virtual = reader.text();
        yield virtual === undefined
          ? { virtual: '', fault: `image_files[${place}] is no text` }
          : { virtual };
      }
    if (wanted === 'workspace_mapping' && kind === 'object')
      for (const virtual of reader.keys()) yield { virtual, ...readReference(reader) };
  }
}

/** Most axes that an index is given for. */
const MAX_AXES = 32;

/** A path (OpenHCS until early 2026), or `{backend, backend_address, source_axis_indices}` (since). */
function readReference(reader: JsonReader): Pick<OpenHcsImage, 'source' | 'fault'> {
  const kind = reader.kind();
  if (kind === 'text') {
    const address = reader.text() ?? '';
    return { source: { backend: 'disk', address, axisIndices: [] } };
  }
  if (kind !== 'object') return { fault: 'maps to neither a path nor an object' };
  let backend: string | undefined;
  let address: string | undefined;
  const axisIndices: number[] = [];
  let fault: string | undefined;
  for (const key of reader.keys()) {
    if (key === 'backend') backend = reader.text();
    else if (key === 'backend_address') address = reader.text();
    else if (key === 'source_axis_indices' && reader.kind() === 'array') {
      for (const _ of reader.items()) {
        const index = reader.number();
        if (
          index === undefined ||
          !Number.isSafeInteger(index) ||
          index < 0 ||
          axisIndices.length >= MAX_AXES
        )
          fault = 'has source_axis_indices that are no list of places';
        else axisIndices.push(index);
      }
    } else fault = `maps to an object with ${JSON.stringify(key.slice(0, 40))}`;
  }
  if (fault !== undefined) return { fault };
  if (backend === undefined || address === undefined)
    return { fault: 'maps to an object without backend or address' };
  return { source: { backend, address, axisIndices } };
}
