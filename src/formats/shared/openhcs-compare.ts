import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PlateFsError } from '../../core/errors.ts';
import { planeStem } from '../../model/plane-name.ts';
import type { PlateWarning } from '../../model/plate.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { fileByPath, planeAddress } from '../../model/plate-lookup.ts';
import { OpenHcsFile, type OpenHcsImage, openHcsFileName } from './openhcs-file.ts';
import { openHcsParser, parseOpenHcsName } from './openhcs-name.ts';
import { lastName, pathInPlate } from './openhcs-path.ts';
import { inSlices } from './openhcs-planes.ts';
import { mainSubdirectory, storesOf } from './openhcs-survey.ts';
import { WarningTally } from './warning-tally.ts';

const RULE = "the instrument's own metadata decides";

/** Compares what a mapping calls files with what an index calls them, one image at a time. */
class MappingCheck {
  readonly #index: PlateIndex;
  readonly #root: string;
  /** Of the index's root below the one that the mapping's paths start from: '' or ending in a slash. */
  readonly #prefix: string;
  readonly #named: Uint8Array;
  readonly #otherName = new WarningTally();
  readonly #noPlane = new WarningTally();
  readonly #absent = new WarningTally();
  readonly #unsafe = new WarningTally();
  readonly #faulty = new WarningTally();

  constructor(index: PlateIndex, root: string) {
    this.#index = index;
    this.#root = root;
    this.#prefix = index.rootPath === root ? '' : `${index.rootPath.slice(root.length + 1)}/`;
    this.#named = new Uint8Array(index.planes.count);
  }

  take({ virtual, source, fault }: OpenHcsImage, parser: ReturnType<typeof openHcsParser>): void {
    if (fault !== undefined) {
      this.#faulty.add(`${virtual} (${fault})`);
      return;
    }
    if (source && source.backend !== 'disk') return;
    const path = pathInPlate(source?.address ?? virtual, this.#root);
    if (path === undefined) {
      this.#unsafe.add(source?.address ?? virtual);
      return;
    }
    const file = path.startsWith(this.#prefix)
      ? fileByPath(this.#index, path.slice(this.#prefix.length))
      : undefined;
    if (file === undefined) {
      this.#absent.add(path);
      return;
    }
    const plane = (this.#index.files.planes[file] ?? 0) - 1;
    if (plane < 0) {
      this.#noPlane.add(path);
      return;
    }
    this.#named[plane] = 1;
    // A list has the files' own names, which claim nothing.
    if (!source) return;
    const name = parseOpenHcsName(lastName(virtual), parser);
    const theirs = name ? planeStem(name) : lastName(virtual);
    const ours = planeStem(planeAddress(this.#index, plane));
    if (theirs !== ours) this.#otherName.add(`${path} is ${ours}, there ${theirs}`);
  }

  warnings(fileName: string): PlateWarning[] {
    const leftOut = this.#named.length - this.#named.reduce((sum, one) => sum + one, 0);
    const tell = (tally: WarningTally, kind: string, message: string, rule: string): PlateWarning[] =>
      tally
        .tell(kind, `image ${message}`, `images ${message}`, rule)
        .map((one) => ({ ...one, files: [fileName] }));
    return [
      ...tell(this.#otherName, 'mapping-differs', `named otherwise by ${fileName}`, RULE),
      ...tell(this.#noPlane, 'mapping-differs', `named by ${fileName} and no planes of the plate`, RULE),
      ...tell(this.#absent, 'absent-image', `named by ${fileName} and not in the plate`, 'they are left out'),
      ...tell(
        this.#unsafe,
        'unsafe-path',
        `named by ${fileName} outside of the plate`,
        'they are not looked at',
      ),
      ...tell(this.#faulty, 'bad-metadata', `of ${fileName} that can't be understood`, 'they are left out'),
      ...(leftOut === 0
        ? []
        : [
            {
              kind: 'mapping-differs',
              message: `${leftOut} planes of the plate have no name in ${fileName}`,
              files: [fileName],
              rule: 'they are shown',
            },
          ]),
    ];
  }
}

/**
 * The index of a raw plate, with a warning for what the `openhcs_metadata.json` at `root` says otherwise: names,
 * images that are not there, planes that it leaves out. The index is then drawn from that file too.
 * @throws CancelledError
 */
export async function compareWithMapping(
  root: string,
  index: PlateIndex,
  signal: AbortSignal,
): Promise<PlateIndex> {
  const files = await readdir(root);
  const name = openHcsFileName((one) => files.includes(one));
  if (name === undefined) return index;
  let { evidenceFiles } = index;
  try {
    using document = new OpenHcsFile(join(root, name));
    evidenceFiles = withEvidence(index, name, document);
    const survey = document.survey();
    const main = mainSubdirectory(survey);
    const store = main && storesOf(survey, main)[0];
    if (!main || !store) return { ...index, evidenceFiles };
    const check = new MappingCheck(index, root);
    const parser = openHcsParser(main.parser);
    await inSlices(document.images(main, store), signal, (image) => check.take(image, parser));
    return { ...index, evidenceFiles, warnings: [...index.warnings, ...check.warnings(name)] };
  } catch (error) {
    if (!(error instanceof PlateFsError) || error.tag === 'cancelled') throw error;
    const warning = {
      kind: 'bad-metadata',
      message: `${name} can't be read: ${error.message}`,
      files: [name],
      rule: 'it is left as it is, and counts for nothing',
    };
    return { ...index, evidenceFiles, warnings: [...index.warnings, warning] };
  }
}

/** The files that an index was drawn from, and the metadata file where it lies in the same folder. */
function withEvidence(
  index: PlateIndex,
  name: string,
  { path, sizeBytes, mtimeMs }: OpenHcsFile,
): readonly number[] {
  const file = path === join(index.rootPath, name) ? fileByPath(index, name) : undefined;
  if (file === undefined) return index.evidenceFiles;
  index.files.sizeBytes[file] = sizeBytes;
  index.files.mtimeMs[file] = mtimeMs;
  return [...new Set([...index.evidenceFiles, file])].sort((a, b) => a - b);
}
