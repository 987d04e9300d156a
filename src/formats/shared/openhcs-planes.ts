import { setImmediate as breathe } from 'node:timers/promises';
import { BadParameterError, CancelledError } from '../../core/errors.ts';
import type { PlaneDetail } from '../../model/plane-details.ts';
import type { PlateWarning } from '../../model/plate.ts';
import type { OpenHcsFile, OpenHcsImage } from './openhcs-file.ts';
import type { OpenHcsFiles } from './openhcs-files.ts';
import { type OpenHcsName, type OpenHcsParser, parseOpenHcsName } from './openhcs-name.ts';
import { flatPathCandidates, lastName, pathInPlate } from './openhcs-path.ts';
import { pageOfReference } from './openhcs-reference.ts';
import type { OpenHcsSubdirectory } from './openhcs-survey.ts';
import { WarningTally } from './warning-tally.ts';

/** Images read between two turns of the event loop. */
const SLICE = 4096;
const NOT_SHOWN = 'they are not shown';

/** Turns the images that the file names into planes, and tells those that are none. */
export class OpenHcsPlanes {
  readonly #files: OpenHcsFiles;
  readonly #root: string;
  readonly #parser: OpenHcsParser;
  readonly #warnings: PlateWarning[] = [];
  readonly #tallies = {
    unread: new WarningTally(),
    unsafe: new WarningTally(),
    absent: new WarningTally(),
    faulty: new WarningTally(),
    unsupported: new WarningTally(),
    shared: new WarningTally(),
  };

  constructor(files: OpenHcsFiles, root: string, parser: OpenHcsParser) {
    this.#files = files;
    this.#root = root;
    this.#parser = parser;
  }

  /** The address that a name gives; undefined, and told, when it gives none. */
  address(path: string): OpenHcsName | undefined {
    const name = parseOpenHcsName(lastName(path), this.#parser);
    if (!name) this.#tallies.unread.add(path);
    return name;
  }

  /** Adds a plane; without `detail` it is the whole file. One that no index can hold is told. */
  add(file: number, name: OpenHcsName, shownAs: string, detail?: PlaneDetail): void {
    const { well, site, channel, z, t } = name;
    const extension = detail === undefined ? name.extension : '.tif';
    const isFirst = this.#files.take(file);
    if (!isFirst && detail === undefined) this.#tallies.shared.add(shownAs);
    try {
      this.#files.builder.addPlane(file, well.row, well.column, site, channel, z, t, extension, detail);
    } catch (error) {
      if (!(error instanceof BadParameterError)) throw error;
      this.#tallies.unsupported.add(`${shownAs} (${error.message})`);
    }
  }

  /** Tells an entry that can't be understood. */
  addFaulty(text: string): void {
    this.#tallies.faulty.add(text);
  }

  /** Tells a name that another one shares its pixels with. */
  addShared(shownAs: string): void {
    this.#tallies.shared.add(shownAs);
  }

  /** Adds every image that `workspace_mapping` names. */
  async addMapping(file: OpenHcsFile, main: OpenHcsSubdirectory, signal: AbortSignal): Promise<void> {
    await inSlices(file.images(main, 'mapping'), signal, (image) => {
      if (image.fault !== undefined || !image.source) {
        this.#tallies.faulty.add(`${image.virtual} (${image.fault ?? 'maps to nothing'})`);
        return;
      }
      const name = this.address(image.virtual);
      if (name) this.#addReference(image, name, image.source);
    });
  }

  #addReference(
    { virtual }: OpenHcsImage,
    name: OpenHcsName,
    { backend, address, axisIndices }: NonNullable<OpenHcsImage['source']>,
  ): void {
    if (backend === 'disk' && axisIndices.length === 0) {
      const path = pathInPlate(address, this.#root);
      const file = path === undefined ? undefined : this.#files.imageAt(path);
      if (path === undefined) this.#tallies.unsafe.add(address);
      else if (file === undefined) this.#tallies.absent.add(path);
      else this.add(file, name, virtual);
      return;
    }
    const found = pageOfReference(this.#files, this.#root, { backend, address, axisIndices });
    if (found.kind === 'plane') this.add(found.file, name, virtual, found.detail);
    else this.#tallies[found.kind].add(`${virtual} (${found.detail})`);
  }

  /** Adds every file that `image_files` names. */
  async addList(
    file: OpenHcsFile,
    main: OpenHcsSubdirectory,
    folder: string,
    signal: AbortSignal,
  ): Promise<void> {
    const isFlat = file.survey().isFlat;
    await inSlices(file.images(main, 'list'), signal, ({ virtual, fault }) => {
      if (fault !== undefined) {
        this.#tallies.faulty.add(fault);
        return;
      }
      const path = pathInPlate(virtual, this.#root);
      const candidates = isFlat
        ? flatPathCandidates(virtual, this.#root)
        : path === undefined
          ? []
          : [path, ...(folder === '' ? [] : [`${folder}/${path}`])];
      if (candidates.length === 0) {
        this.#tallies.unsafe.add(virtual);
        return;
      }
      const name = this.address(virtual);
      if (!name) return;
      const found = candidates.map((one) => this.#files.imageAt(one)).find((one) => one !== undefined);
      if (found === undefined) this.#tallies.absent.add(candidates[0] ?? virtual);
      else this.add(found, name, virtual);
    });
  }

  warn(kind: string, message: string, files: readonly string[], rule: string): void {
    this.#warnings.push({ kind, message, files, rule });
  }

  /** What was told; call last. */
  warnings(): PlateWarning[] {
    const { unread, unsafe, absent, faulty, unsupported, shared } = this.#tallies;
    return [
      ...this.#warnings,
      ...unsafe.tell(
        'unsafe-path',
        'path named by the metadata leads out of the plate',
        'paths named by the metadata lead out of the plate',
        NOT_SHOWN,
      ),
      ...absent.tell(
        'absent-image',
        'image named by the metadata and not there',
        'images named by the metadata and not there',
        'they are left out',
      ),
      ...unread.tell(
        'unrecognised-name',
        'image not named after a well as OpenHCS names images',
        'images not named after a well as OpenHCS names images',
        NOT_SHOWN,
      ),
      ...faulty.tell(
        'bad-metadata',
        "name that can't be understood",
        "names that can't be understood",
        NOT_SHOWN,
      ),
      ...unsupported.tell(
        'unsupported-image',
        'image in places that are not read',
        'images in places that are not read',
        NOT_SHOWN,
      ),
      ...shared.tell(
        'shared-source',
        'image mapped to a file or place that another name has too',
        'images mapped to a file or place that another name has too',
        'both names show the same pixels',
      ),
    ];
  }
}

/** Calls `take` for each, and lets others have a turn now and then. @throws CancelledError */
export async function inSlices<T>(
  items: Iterable<T>,
  signal: AbortSignal,
  take: (item: T) => void,
): Promise<void> {
  let count = 0;
  for (const item of items) {
    take(item);
    if ((count += 1) % SLICE !== 0) continue;
    await breathe();
    if (signal.aborted) throw new CancelledError('indexing was cancelled');
  }
}
