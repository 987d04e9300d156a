import { realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { BadHdf5Error } from '../../core/errors.ts';
import { isWithin } from '../../zarr/stored-bytes.ts';
import { Hdf5File } from './hdf5-file.ts';

/** Links followed for one path. */
const MAX_LINKS = 32;
/** Other files that one file's links may hold open. */
const MAX_OTHER_FILES = 256;
/** Groups whose names are kept, and paths whose place is. */
const KEPT_GROUPS = 1024;
const KEPT_PATHS = 65_536;

/** A group or dataset: the file it stands in, and its path there by hard links alone, from `/`. */
export interface FoundNode {
  readonly kind: 'group' | 'array';
  readonly file: Hdf5File;
  readonly at: string;
}

/** Why a link leads to nothing that is shown. */
export interface DeadLink {
  readonly kind: 'dead';
  readonly reason: string;
}

/** Neither a group nor an array: a named type. */
interface NoNode {
  readonly kind: 'none';
}

export type Found = FoundNode | DeadLink | NoNode;

const NOTHING: NoNode = { kind: 'none' };
const dead = (reason: string): DeadLink => ({ kind: 'dead', reason });

/** Where a file named in another lies, when that is inside the other's folder and under `root`. */
export function fileBeside(path: string, named: string, root: string): string | DeadLink {
  const folder = realpathSync(dirname(path));
  const target = resolve(folder, named);
  if (statSync(target, { throwIfNoEntry: false })?.isFile() !== true)
    return dead(`there is no file ${named}`);
  const real = realpathSync(target);
  return isWithin(real, folder) && isWithin(real, realpathSync(root))
    ? real
    : dead(`${named} lies outside the file's folder and is not opened`);
}

/**
 * Finds nodes by name. Every link is followed here and not by the library, which would open any file that an external
 * link names. Owns the file and those its links lead to.
 */
export class Hdf5Links implements Disposable {
  readonly file: Hdf5File;
  readonly #root: string;
  readonly #others = new Map<string, Hdf5File>();
  readonly #names = new Map<string, readonly string[]>();
  readonly #nameSets = new Map<string, ReadonlySet<string>>();
  readonly #found = new Map<string, Found>();

  /** Nothing outside `root` and the file's folder is opened. */
  constructor(file: Hdf5File, root: string) {
    this.file = file;
    this.#root = root;
  }

  get root(): string {
    return this.#root;
  }

  /** What a path from the file's root, names joined by `/`, leads to. @throws BadHdf5Error, UnreadableSourceError … */
  find(path: string): Found {
    const known = this.#found.get(path);
    if (known !== undefined) return known;
    const found = this.#findNew(path);
    if (this.#found.size >= KEPT_PATHS) this.#found.clear();
    this.#found.set(path, found);
    return found;
  }

  /** From the group above, which was mostly found before: from the root it would be the square of the depth. */
  #findNew(path: string): Found {
    if (path === '') return this.#nodeAt(this.file, '/');
    const cut = path.lastIndexOf('/');
    const above = path.slice(0, Math.max(0, cut));
    const known = this.#found.get(above);
    if (known?.kind !== 'group') return this.#walk(this.file, '/', path.split('/'));
    return this.#walk(known.file, known.at, [path.slice(cut + 1)]);
  }

  /** The same; what is damaged is a dead link, too. @throws SourceBusyError, SourceChangedError … */
  tryFind(path: string): Found {
    try {
      return this.find(path);
    } catch (error) {
      if (error instanceof BadHdf5Error) return dead(error.message);
      throw error;
    }
  }

  /** Another text for every object: two paths may lead to the same. @throws BadHdf5Error … */
  placeOf({ file, at }: FoundNode): string {
    const reference = file.library(at, (module, id) => module.create_object_reference(id, at));
    return `${file.path}:${Array.from(reference).join()}`;
  }

  /** What a path in one of the files leads to; empty names and `.` stand for nothing, as in HDF5's own paths. */
  findIn(file: Hdf5File, path: string): Found {
    return this.#walk(file, '/', namesOf(path));
  }

  #walk(startFile: Hdf5File, startAt: string, path: readonly string[]): Found {
    let file = startFile;
    let at = startAt;
    const left = [...path];
    let links = 0;
    for (;;) {
      const name = left.shift();
      if (name === undefined) return this.#nodeAt(file, at);
      if (!this.#hasName(file, at, name)) return links > 0 ? dead('its target is not there') : NOTHING;
      const next = at === '/' ? `/${name}` : `${at}/${name}`;
      const soft = file.library(next, (module, id) => module.get_symbolic_link(id, next));
      if (typeof soft === 'string' && soft !== '') {
        if (++links > MAX_LINKS) return dead('its links lead in a circle');
        if (soft.startsWith('/')) at = '/';
        left.unshift(...namesOf(soft));
        continue;
      }
      const external = file.library(next, (module, id) => module.get_external_link(id, next));
      if (external.filename !== undefined) {
        if (++links > MAX_LINKS) return dead('its links lead in a circle');
        const other = this.#open(file, external.filename);
        if (!(other instanceof Hdf5File)) return other;
        file = other;
        at = '/';
        left.unshift(...namesOf(external.obj_path ?? '/'));
        continue;
      }
      at = next;
    }
  }

  #open(from: Hdf5File, named: string): Hdf5File | DeadLink {
    const path = fileBeside(from.path, named, this.#root);
    if (typeof path !== 'string') return path;
    const known = this.#others.get(path);
    if (known !== undefined) return known;
    if (this.#others.size >= MAX_OTHER_FILES)
      return dead(`it is one of more than ${MAX_OTHER_FILES} linked files`);
    const file = Hdf5File.open(path);
    this.#others.set(path, file);
    return file;
  }

  #nodeAt(file: Hdf5File, at: string): Found {
    return file.library(at, (module, id) => {
      const type = module.get_type(id, at);
      if (type === module.H5G_GROUP) return { kind: 'group', file, at };
      return type === module.H5G_DATASET ? { kind: 'array', file, at } : NOTHING;
    });
  }

  #hasName(file: Hdf5File, at: string, name: string): boolean {
    const key = `${file.path}\0${at}`;
    let names = this.#nameSets.get(key);
    if (names === undefined) {
      if (this.#nodeAt(file, at).kind !== 'group') return false;
      names = new Set(this.names({ kind: 'group', file, at }));
      if (this.#nameSets.size >= KEPT_GROUPS) this.#nameSets.clear();
      this.#nameSets.set(key, names);
    }
    return names.has(name);
  }

  /** Names in a group, in the order of their code points. @throws BadHdf5Error … */
  names({ file, at }: FoundNode): readonly string[] {
    const key = `${file.path}\0${at}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const names = file.library(at, (module, id) => module.get_names(id, at, false));
    const sorted = names.sort(byCodePoint);
    if (this.#names.size >= KEPT_GROUPS) this.#names.clear();
    this.#names.set(key, sorted);
    return sorted;
  }

  /** Every file that is open. */
  get files(): readonly Hdf5File[] {
    return [this.file, ...this.#others.values()];
  }

  /** The file `named` beside `from`, opened. @throws BadHdf5Error when it isn't there or may not be opened. */
  otherFile(from: Hdf5File, named: string): Hdf5File {
    const other = this.#open(from, named);
    if (other instanceof Hdf5File) return other;
    throw new BadHdf5Error(from.path, other.reason);
  }

  [Symbol.dispose](): void {
    for (const file of this.#others.values()) file[Symbol.dispose]();
    this.#others.clear();
    this.file[Symbol.dispose]();
  }
}

const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

/** UTF-16 order is not that of code points above U+FFFF. */
function byCodePoint(a: string, b: string): number {
  const left = Buffer.from(a);
  return left.compare(Buffer.from(b));
}
