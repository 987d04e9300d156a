import { CancelledError, explain, PlateFsError } from '../../core/errors.ts';
import { recordedPath } from '../../core/recorded-path.ts';
import { compareNatural } from '../../model/natural-order.ts';
import type { OmeDocument } from '../../ome/ome-document.ts';
import { readOmeFile, readOmeOfTiff } from './ome-read.ts';
import type { PlateSurvey } from './plate-survey.ts';
import { TiffLook } from './tiff-look.ts';
import { type PageTable, readPages } from './tiff-pages.ts';
import { WarningTally } from './warning-tally.ts';

/** An OME-XML document and where it was found. */
export interface OmeSource {
  readonly document: OmeDocument;
  /** The companion file or the TIFF, below the root. */
  readonly path: string;
  readonly isCompanion: boolean;
}

/** Tables of pages kept: a set comes back to its files image by image. */
const MAX_TABLES = 4096;

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);

/** Root-relative path of a file that stands in metadata lying in `folder`; undefined where it leads elsewhere. */
function pathFrom(folder: string, name: string): string | undefined {
  const path = recordedPath(name);
  return path === undefined ? undefined : folder + path;
}

/** The TIFFs and companion files of a plate: what each says, and which file a document means by a name. */
export class OmeFiles {
  readonly sources: OmeSource[] = [];
  readonly #survey: PlateSurvey;
  readonly #signal: AbortSignal;
  readonly #uuids = new Map<string, string>();
  readonly #claimed = new Set<string>();
  readonly #pages = new Map<string, PageTable | undefined>();
  readonly #withoutOme = new WarningTally();
  readonly #damaged = new WarningTally();
  readonly #badMetadata = new WarningTally();
  readonly #orphans = new WarningTally();
  readonly #unsafe = new WarningTally();

  constructor(survey: PlateSurvey, signal: AbortSignal) {
    this.#survey = survey;
    this.#signal = signal;
  }

  /**
   * Reads every document once. A TIFF that a document names is not asked for one of its own: all files of a set
   * repeat the same text. @throws CancelledError
   */
  async read(): Promise<void> {
    const survey = this.#survey;
    for (const companion of survey.metadata) {
      const document = await survey.consult(
        companion,
        (path) => readOmeFile(path, this.#signal),
        'images that only it describes are not shown',
      );
      if (document) this.#take({ document, path: companion.path, isCompanion: true });
    }
    const companions = new Set(this.sources.map(({ path }) => path));
    for (const path of [...survey.images.keys()].sort(compareNatural)) {
      if (this.#signal.aborted) throw new CancelledError('indexing was cancelled');
      if (!this.#claimed.has(path)) await this.#ask(path, companions);
    }
    this.sources.sort((a, b) => compareNatural(a.path, b.path));
  }

  #take(source: OmeSource): void {
    this.sources.push(source);
    const folder = folderOf(source.path);
    for (const { name } of source.document.files) {
      const path = name === undefined ? undefined : pathFrom(folder, name);
      if (path !== undefined && this.#survey.images.has(path)) this.#claimed.add(path);
    }
  }

  /** Asks a TIFF that no document has named yet. */
  async #ask(path: string, companions: ReadonlySet<string>): Promise<void> {
    try {
      await using look = await TiffLook.open(`${this.#survey.root}/${path}`);
      this.#note(path, look);
      const { description } = await look.directory(look.firstDirectory);
      const document = await readOmeOfTiff(look, description, this.#signal);
      if (document?.uuid !== undefined) this.#uuids.set(document.uuid, path);
      if (!document) this.#withoutOme.add(path);
      else if (document.metadataFile === undefined) this.#take({ document, path, isCompanion: false });
      else this.#follow(path, document.metadataFile, companions);
    } catch (error) {
      if (error instanceof CancelledError || !(error instanceof PlateFsError)) throw error;
      (error.tag === 'bad-metadata' ? this.#badMetadata : this.#damaged).add(path, this.#told(error));
    }
  }

  #follow(path: string, metadataFile: string, companions: ReadonlySet<string>): void {
    const target = pathFrom(folderOf(path), metadataFile);
    if (target === undefined) this.#unsafe.add(path, JSON.stringify(metadataFile));
    else if (!companions.has(target)) this.#orphans.add(path, `${path}, whose metadata is in ${target}`);
  }

  #note(path: string, { sizeBytes, mtimeMs }: TiffLook): void {
    const file = this.#survey.images.get(path);
    if (file !== undefined) this.#survey.builder.addEvidence(file, sizeBytes, mtimeMs);
  }

  /**
   * The TIFF that a document means by file `number`: by its name, else by its UUID; `expected` is what was looked
   * for where there is none.
   */
  resolve({ document, path, isCompanion }: OmeSource, number: number): { path?: string; expected: string } {
    if (number < 0) return isCompanion ? { expected: 'a file that is not named' } : { path, expected: path };
    const { name, uuid } = document.files[number] ?? {};
    if (name !== undefined) {
      const target = pathFrom(folderOf(path), name);
      if (target === undefined) {
        this.#unsafe.add(path, JSON.stringify(name));
        return { expected: JSON.stringify(name) };
      }
      if (this.#survey.images.has(target)) return { path: target, expected: target };
    }
    const renamed = uuid === undefined ? undefined : this.#uuids.get(uuid);
    if (renamed !== undefined) return { path: renamed, expected: renamed };
    if (uuid !== undefined && uuid === document.uuid && !isCompanion) return { path, expected: path };
    return { expected: name ?? uuid ?? 'a file that is not named' };
  }

  /** The pages of a TIFF; undefined where it can't be read, which is told. @throws CancelledError */
  async pages(path: string): Promise<PageTable | undefined> {
    if (this.#pages.has(path)) return this.#pages.get(path);
    const pages = await this.#readPages(path);
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size < MAX_TABLES) break;
      this.#pages.delete(oldest);
    }
    this.#pages.set(path, pages);
    return pages;
  }

  async #readPages(path: string): Promise<PageTable | undefined> {
    try {
      await using look = await TiffLook.open(`${this.#survey.root}/${path}`);
      this.#note(path, look);
      const pages = await readPages(look, this.#signal);
      if (pages.fault) this.#damaged.add(path, this.#told(pages.fault));
      return pages;
    } catch (error) {
      if (error instanceof CancelledError || !(error instanceof PlateFsError)) throw error;
      this.#damaged.add(path, this.#told(error));
      return undefined;
    }
  }

  #told(error: PlateFsError): string {
    return explain(error).replaceAll(`${this.#survey.root}/`, '');
  }

  /** Tells what could not be used. */
  warn(): void {
    const tell = (tally: WarningTally, kind: string, one: string, many: string, rule: string): void => {
      for (const warning of tally.tell(kind, one, many, rule)) this.#survey.builder.addWarning(warning);
    };
    const underSource = 'they are reachable under source/ only';
    tell(this.#withoutOme, 'unrecognised-name', 'TIFF has no OME-XML', 'TIFFs have no OME-XML', underSource);
    tell(
      this.#badMetadata,
      'bad-metadata',
      'TIFF has OME-XML that is damaged',
      'TIFFs have OME-XML that is damaged',
      underSource,
    );
    tell(
      this.#damaged,
      'bad-image',
      'TIFF is damaged',
      'TIFFs are damaged',
      'pages before the damage are shown',
    );
    tell(
      this.#orphans,
      'absent-metadata',
      'TIFF lacks the companion file that describes it',
      'TIFFs lack the companion file that describes them',
      'they are reachable under source/ only; copy the companion file into the plate',
    );
    tell(
      this.#unsafe,
      'unsafe-path',
      'document names a file outside the plate',
      'documents name files outside the plate',
      'such a file is never opened',
    );
  }
}
