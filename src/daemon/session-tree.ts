/**
 * The tree that the daemons of one connection hand down to each other: node numbers mean what they meant, whatever
 * became of the plate since. Every generation is written before the kernel hears of it.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { Numbering } from '../model/numbering.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { readIndexFile, writeIndexFile } from '../tree/index-cache.ts';
import { type SharedTree, shareTree } from '../tree/shared-tree.ts';

interface Pointer {
  readonly generation: number;
  /** The last generation of which the kernel has been told everything. */
  readonly told: number;
}

/** Everything of a shared tree that does not follow from its index. */
type Numbers = Pick<
  SharedTree,
  | 'generation'
  | 'options'
  | 'mountedAtMs'
  | 'changedAtMs'
  | 'numbering'
  | 'items'
  | 'stackAxes'
  | 'axesOfStack'
  | 'imageBlocks'
  | 'fieldChangedAtMs'
>;

type SharableArray = Uint8Array | Uint32Array | Float64Array;

function toShared<A extends SharableArray>(array: A): A {
  const Kind = array.constructor as new (buffer: SharedArrayBuffer) => A;
  const copy = new Kind(new SharedArrayBuffer(array.byteLength));
  copy.set(array);
  return copy;
}

const mapNumbering = (
  { next, numbers, positions }: Numbering,
  map: (array: Uint32Array) => Uint32Array,
): Numbering => ({
  next,
  ...(numbers === undefined ? {} : { numbers: map(numbers) }),
  ...(positions === undefined ? {} : { positions: map(positions) }),
});

function mapNumbers(tree: Numbers, map: <A extends SharableArray>(array: A) => A): Numbers {
  const {
    generation,
    options,
    mountedAtMs,
    changedAtMs,
    numbering,
    items,
    stackAxes,
    axesOfStack,
    imageBlocks,
    fieldChangedAtMs,
  } = tree;
  return {
    generation,
    options,
    mountedAtMs,
    changedAtMs,
    numbering: {
      directories: mapNumbering(numbering.directories, map),
      files: mapNumbering(numbering.files, map),
      planes: mapNumbering(numbering.planes, map),
      fields: mapNumbering(numbering.fields, map),
      stacks: mapNumbering(numbering.stacks, map),
    },
    items,
    stackAxes,
    ...(axesOfStack === undefined ? {} : { axesOfStack: map(axesOfStack) }),
    imageBlocks,
    fieldChangedAtMs: map(fieldChangedAtMs),
  };
}

/** Where a session keeps its trees. */
export class SessionTree {
  readonly #folder: string;
  readonly #prefix: string;

  /** `folder` is the session's own; it outlives a daemon, not the machine. `part` is the part whose tree it is. */
  constructor(folder: string, part = 0) {
    this.#folder = folder;
    this.#prefix = part === 0 ? 'tree-' : `part-${part}-tree-`;
  }

  #path(name: string): string {
    return join(this.#folder, this.#prefix + name);
  }

  #point(pointer: Pointer): void {
    const path = this.#path('present');
    writeFileSync(`${path}.new`, JSON.stringify(pointer), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  #pointer(): Pointer {
    return JSON.parse(readFileSync(this.#path('present'), 'utf8')) as Pointer;
  }

  /** Begins with a connection's first tree, of which the kernel knows nothing yet. */
  begin(shared: SharedTree): void {
    for (const name of readdirSync(this.#folder))
      if (name.startsWith(this.#prefix)) rmSync(join(this.#folder, name));
    this.#write(shared);
    this.#point({ generation: shared.generation, told: shared.generation });
  }

  #write(shared: SharedTree): void {
    writeIndexFile(this.#path(`${shared.generation}.index`), shared.index);
    const plain = mapNumbers(shared, (array) => array.slice() as typeof array);
    writeFileSync(this.#path(`${shared.generation}.numbers`), serialize(plain), { mode: 0o600 });
  }

  /** Writes a generation's index anew, of which more is known now. */
  rewrite({ generation, index }: SharedTree): void {
    writeIndexFile(this.#path(`${generation}.index`), index);
  }

  /** Takes in a new generation. The one before stays until {@link told}. */
  succeed(shared: SharedTree): void {
    this.#write(shared);
    this.#point({ ...this.#pointer(), generation: shared.generation });
  }

  /** The kernel has been told all that is different in a generation. */
  told(generation: number): void {
    const { generation: present, told } = this.#pointer();
    this.#point({ generation: present, told: generation });
    for (let old = told; old < generation; old += 1)
      for (const kind of ['index', 'numbers']) rmSync(this.#path(`${old}.${kind}`), { force: true });
  }

  /**
   * The tree that the last daemon showed, and the one before it where the kernel may not know the difference.
   * @throws when they are missing or damaged.
   */
  resume(): { readonly shared: SharedTree; readonly untold?: SharedTree } {
    const { generation, told } = this.#pointer();
    const shared = this.#read(generation);
    return told === generation || !existsSync(this.#path(`${told}.index`))
      ? { shared }
      : { shared, untold: this.#read(told) };
  }

  #read(generation: number): SharedTree {
    const index: PlateIndex = readIndexFile(this.#path(`${generation}.index`));
    const numbers = deserialize(readFileSync(this.#path(`${generation}.numbers`))) as Numbers;
    return { ...shareTree(index, numbers.mountedAtMs, numbers.options), ...mapNumbers(numbers, toShared) };
  }
}
