import { type Hdf5Bytes, NotUnderstood, UNDEFINED_ADDRESS } from './hdf5-bytes.ts';

/** Where one chunk lies. */
export interface StoredChunk {
  readonly address: number;
  readonly storedBytes: number;
  /** Bit i: filter i was left out for this chunk. */
  readonly filterMask: number;
}

/** Finds chunks by their place in the grid; undefined for one that was never written. */
export interface ChunkIndex {
  find(gridPosition: readonly number[]): StoredChunk | undefined;
}

interface Node {
  readonly level: number;
  readonly count: number;
  /** Offsets in elements of entry i's first chunk: `rank` numbers each, one entry more than children. */
  readonly offsets: Float64Array;
  readonly children: Float64Array;
  readonly storedBytes: Uint32Array;
  readonly filterMasks: Uint32Array;
}

/** Nodes kept of one dataset's index, some 5 KiB each. */
const KEPT_NODES = 512;
/** Levels of 64 entries each hold more chunks than any file. */
const MAX_LEVEL = 40;

/**
 * A version 1 B-tree of chunks (HDF5 File Format Specification 3.0, III.A.1, node type 1): read node by node as chunks
 * are asked for.
 */
export class ChunkBtree implements ChunkIndex {
  readonly #file: Hdf5Bytes;
  readonly #root: number;
  readonly #chunkShape: readonly number[];
  readonly #nodes = new Map<number, Node>();

  constructor(file: Hdf5Bytes, root: number, chunkShape: readonly number[]) {
    this.#file = file;
    this.#root = root;
    this.#chunkShape = chunkShape;
  }

  /** @throws NotUnderstood, BadHdf5Error, UnreadableSourceError */
  find(gridPosition: readonly number[]): StoredChunk | undefined {
    if (this.#root === UNDEFINED_ADDRESS) return undefined;
    const wanted = gridPosition.map((at, axis) => at * (this.#chunkShape[axis] ?? 1));
    let address = this.#root;
    let level = MAX_LEVEL;
    for (;;) {
      const node = this.#node(address);
      if (node.level >= level) throw new NotUnderstood('an index that leads in a circle');
      level = node.level;
      const entry = lastNotAfter(node, wanted);
      if (entry < 0) return undefined;
      const child = node.children[entry] ?? UNDEFINED_ADDRESS;
      if (level > 0) {
        address = child;
        continue;
      }
      if (compareAt(node, entry, wanted) !== 0) return undefined;
      return {
        address: child,
        storedBytes: node.storedBytes[entry] ?? 0,
        filterMask: node.filterMasks[entry] ?? 0,
      };
    }
  }

  #node(address: number): Node {
    const kept = this.#nodes.get(address);
    if (kept !== undefined) return kept;
    const node = readNode(this.#file, address, this.#chunkShape.length);
    if (this.#nodes.size >= KEPT_NODES) {
      const oldest = this.#nodes.keys().next().value;
      if (oldest !== undefined) this.#nodes.delete(oldest);
    }
    this.#nodes.set(address, node);
    return node;
  }
}

function readNode(file: Hdf5Bytes, address: number, rank: number): Node {
  const headBytes = 8 + 2 * file.offsetBytes;
  const head = file.block(address, headBytes);
  head.expect('TREE');
  if (head.u8() !== 1) throw new NotUnderstood('an index of something else than chunks');
  const level = head.u8();
  const count = head.u16();
  const keyBytes = 8 + 8 * (rank + 1);
  const cursor = file.block(address + headBytes, count * (keyBytes + file.offsetBytes));
  const offsets = new Float64Array(count * rank);
  const children = new Float64Array(count);
  const storedBytes = new Uint32Array(count);
  const filterMasks = new Uint32Array(count);
  for (let entry = 0; entry < count; entry++) {
    storedBytes[entry] = cursor.u32();
    filterMasks[entry] = cursor.u32();
    for (let axis = 0; axis < rank; axis++) offsets[entry * rank + axis] = cursor.unsigned(8);
    cursor.skip(8);
    children[entry] = cursor.address();
  }
  return { level, count, offsets, children, storedBytes, filterMasks };
}

function compareAt(node: Node, entry: number, wanted: readonly number[]): number {
  const rank = wanted.length;
  for (let axis = 0; axis < rank; axis++) {
    const difference = (node.offsets[entry * rank + axis] ?? 0) - (wanted[axis] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The last entry whose first chunk is not behind the wanted one, -1 when all are. */
function lastNotAfter(node: Node, wanted: readonly number[]): number {
  let low = 0;
  let high = node.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareAt(node, middle, wanted) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
