import { discardPaths } from '../../src/daemon/front-changes.ts';
import { publishOutputs } from '../../src/daemon/publish.ts';
import { FIRST_OVERLAY_INODE, isFile, type LandingRecord } from '../../src/overlay/inode.ts';
import { ROOT_NODE } from '../../src/tree/tree.ts';
import { type DoubleHandle, KernelDouble, Refused } from './kernel-double.ts';
import type { MemoryTree, Seed } from './memory-tree.ts';
import {
  isWithin,
  newFile,
  newFolder,
  overwritten,
  placeAt,
  type ReferenceFile,
  type ReferenceFolder,
  type ReferenceNode,
  resized,
} from './reference-files.ts';

const O_WRONLY = 1;
const O_RDWR = 2;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const NOREPLACE = 1;
const EXCHANGE = 2;
const PAGE_BYTES = 4096;

type Path = readonly string[];

/** One step of a random history. `die`: the daemon dies at its nth fault point within the step. */
export type Step = { readonly die?: number | undefined } & (
  | { readonly do: 'create'; path: Path; mode: number; exclusive: boolean }
  | { readonly do: 'open'; path: Path; access: 'read' | 'write' | 'truncate' }
  | { readonly do: 'write'; slot: number; offset: number; size: number; seed: number }
  | { readonly do: 'append'; slot: number; size: number; seed: number }
  | { readonly do: 'ftruncate'; slot: number; size: number }
  /** `mode`: 1 keeps the size, 3 punches a hole, 16 and 17 make zeros. */
  | { readonly do: 'allocate'; slot: number; mode: 0 | 1 | 3 | 16 | 17; offset: number; size: number }
  | { readonly do: 'copy'; from: number; to: number; offset: number; size: number }
  | { readonly do: 'close'; slot: number }
  | { readonly do: 'truncate'; path: Path; size: number }
  | { readonly do: 'mkdir'; path: Path }
  | { readonly do: 'unlink'; path: Path }
  | { readonly do: 'rmdir'; path: Path }
  | { readonly do: 'rename'; path: Path; to: Path; flags: 0 | 1 | 2 }
  | { readonly do: 'symlink'; path: Path; target: string }
  | { readonly do: 'link'; path: Path; to: Path }
  /** A file without a name, and a name for what a slot has open. */
  | { readonly do: 'tmpfile'; path: Path; mode: number }
  | { readonly do: 'name'; slot: number; to: Path }
  | { readonly do: 'chmod'; path: Path; mode: number }
  | { readonly do: 'utimes'; path: Path; seconds: number }
  | { readonly do: 'setxattr'; path: Path; name: string; value: string; flags: 0 | 1 | 2 }
  | { readonly do: 'removexattr'; path: Path; name: string }
  | { readonly do: 'begin-landing'; nth: number }
  | { readonly do: 'end-landing' }
  | { readonly do: 'spill'; slot: number }
  /** Whatever is open for writing goes to disk in part. */
  | { readonly do: 'spill-resting'; pages: number }
  | { readonly do: 'read-while-landing'; path: Path }
  | { readonly do: 'fsync'; slot: number }
  /** Through a reader's handle of what was a tree file: refused, and nothing may come of it. */
  | { readonly do: 'fchmod-old'; slot: number }
  | { readonly do: 'publish'; path: Path; to: Path; seed: number }
  /** Everything that was written is given up. */
  | { readonly do: 'discard' }
  | { readonly do: 'begin-listing'; path: Path }
  | { readonly do: 'list'; room: number }
  | { readonly do: 'resume' }
  | { readonly do: 'remount' }
);

interface Slot {
  readonly handle: DoubleHandle;
  readonly file: ReferenceFile;
  readonly writing: boolean;
  /** What a reader of a tree file keeps seeing when the file is written. */
  readonly frozen: Uint8Array | undefined;
}

interface Listing {
  readonly node: number;
  readonly folder: ReferenceFolder;
  cookie: number;
  readonly seen: string[];
  /** Names that were there all the time, with what they named. */
  readonly steady: Map<string, ReferenceNode>;
  /** Names that were there at any time. */
  readonly ever: Set<string>;
}

/** Bytes that depend on everything. */
export function pattern(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = (state >>> 24) | 1;
  }
  return bytes;
}

function referenceOf(seed: Seed | Uint8Array, readOnly: boolean): ReferenceNode {
  if (seed instanceof Uint8Array) return newFile(readOnly ? 0o444 : 0o644, seed, true);
  const folder = newFolder(readOnly ? 0o555 : 0o755, true, readOnly);
  for (const [name, inner] of Object.entries(seed))
    folder.children.set(name, referenceOf(inner, readOnly || name === 'source'));
  return folder;
}

/** A file system and its reference, put through the same steps; throws where they part. */
export class Duel {
  readonly kernel: KernelDouble;
  readonly root: ReferenceFolder;
  readonly #slots: Slot[] = [];
  readonly #landings: { inode: number; version: number; record: LandingRecord }[] = [];
  #listing: Listing | undefined;
  readonly #budgetBytes: number;
  readonly #seed: Seed;
  #published = 0;

  constructor(seed: Seed, treeOf: (folder: string) => MemoryTree, budgetBytes: number) {
    this.kernel = new KernelDouble(treeOf, budgetBytes);
    this.root = referenceOf(seed, false) as ReferenceFolder;
    this.#budgetBytes = budgetBytes;
    this.#seed = seed;
  }

  dispose(): void {
    this.kernel.dispose();
  }

  /** Everything that programs have open is closed, and nothing is being landed. */
  closeAll(): void {
    while (this.#landings.length > 0) this.take({ do: 'end-landing' });
    while (this.#slots.length > 0) this.take({ do: 'close', slot: 0 });
    this.#listing = undefined;
    this.kernel.clearAbandoned();
  }

  #fail(message: string): never {
    throw new Error(message);
  }

  /** Both succeed, or both refuse. */
  #both<T>(step: Step, expected: boolean, act: () => T): T | undefined {
    try {
      const result = act();
      if (!expected) this.#fail(`${JSON.stringify(step)} was carried out, and should be refused`);
      return result;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (expected) this.#fail(`${JSON.stringify(step)} was refused with errno ${error.errno}`);
      return undefined;
    }
  }

  /** Whether the folder that holds a path's last name may change. */
  #isOpen(path: Path): boolean {
    const place = placeAt(this.root, path);
    return place !== undefined && !place.folder.readOnly;
  }

  #node(path: Path): ReferenceNode | undefined {
    return placeAt(this.root, path)?.node;
  }

  #isFixed(node: ReferenceNode | undefined, path: Path): boolean {
    return (node?.type === 'folder' && node.readOnly) || !this.#isOpen(path);
  }

  #slot(index: number): Slot | undefined {
    return this.#slots.length === 0 ? undefined : this.#slots[index % this.#slots.length];
  }

  #touched(file: ReferenceFile): void {
    file.pristine = false;
    file.mtimeMs = undefined;
  }

  take(step: Step): void {
    // The materializer does one thing after the other: what was to be removed goes before anything lands.
    if (step.do === 'begin-landing' || step.do === 'read-while-landing') this.kernel.clearAbandoned();
    if (step.die !== undefined && step.do !== 'remount') this.kernel.dieAfter(step.die);
    const { deaths } = this.kernel;
    try {
      this.#take(step);
    } finally {
      this.kernel.stayAlive();
    }
    // What a daemon was landing ends with it.
    if (this.kernel.deaths > deaths) this.#forgetLandings();
    this.#watchListing();
    this.#checkBudget();
    this.#checkCounts();
  }

  #take(step: Step): void {
    const { kernel } = this;
    switch (step.do) {
      case 'create': {
        const place = placeAt(this.root, step.path);
        const expected = this.#isOpen(step.path) && place?.node === undefined;
        const handle = this.#both(step, expected, () =>
          kernel.create(step.path, step.mode, O_RDWR | (step.exclusive ? O_EXCL : 0)),
        );
        if (!handle || !place) return;
        const file = newFile(step.mode);
        place.folder.children.set(place.name, file);
        this.#slots.push({ handle, file, writing: true, frozen: undefined });
        return;
      }
      case 'open': {
        const node = this.#node(step.path);
        const writing = step.access !== 'read';
        const expected = node?.type === 'file' && (!writing || this.#isOpen(step.path));
        if (node?.type === 'link') return;
        const flags = { read: 0, write: O_RDWR, truncate: O_WRONLY | O_TRUNC }[step.access];
        const handle = this.#both(step, expected, () => kernel.open(step.path, flags));
        if (!handle || node?.type !== 'file') return;
        if (writing) node.pristine = false;
        if (step.access === 'truncate') {
          node.bytes = new Uint8Array();
          this.#touched(node);
        }
        const frozen = handle.node < FIRST_OVERLAY_INODE ? node.bytes : undefined;
        this.#slots.push({ handle, file: node, writing, frozen });
        return;
      }
      case 'write':
      case 'append': {
        const slot = this.#slot(step.slot);
        if (!slot?.writing) return;
        const offset = step.do === 'write' ? step.offset : slot.file.bytes.length;
        const data = pattern(step.size, step.seed);
        this.#both(step, true, () => kernel.write(slot.handle, offset, data));
        slot.file.bytes = overwritten(slot.file.bytes, data, offset);
        this.#touched(slot.file);
        return;
      }
      case 'ftruncate': {
        const slot = this.#slot(step.slot);
        if (!slot?.writing) return;
        this.#setattr(step, slot.handle.node, { sizeBytes: step.size });
        slot.file.bytes = resized(slot.file.bytes, step.size);
        this.#touched(slot.file);
        return;
      }
      case 'allocate': {
        const slot = this.#slot(step.slot);
        if (!slot?.writing || step.size === 0) return;
        const { node, reply } = slot.handle;
        const { offset, size, mode } = step;
        this.#both(step, true, () =>
          kernel.request((front, context) => front.fallocate(context, node, mode, offset, size)),
        );
        void reply;
        const { file } = slot;
        if ((mode & 1) === 0 && offset + size > file.bytes.length)
          file.bytes = resized(file.bytes, offset + size);
        if (mode >= 3) {
          file.bytes = Uint8Array.from(file.bytes);
          file.bytes.fill(0, offset, offset + size);
        }
        this.#touched(file);
        return;
      }
      case 'copy': {
        const from = this.#slot(step.from);
        const to = this.#slot(step.to);
        if (!from || !to?.writing || from.file === to.file || from.frozen) return;
        let copied: number;
        try {
          copied = kernel.request((front, context) =>
            front.copyFileRange(
              context,
              { node: from.handle.node, offsetBytes: step.offset },
              { node: to.handle.node, offsetBytes: 0 },
              step.size,
            ),
          );
        } catch (error) {
          if (error instanceof Refused && error.errno === 18) return;
          throw error;
        }
        const data = from.file.bytes.subarray(step.offset, step.offset + step.size);
        if (copied !== data.length) this.#fail(`copied ${copied} bytes of ${data.length}`);
        to.file.bytes = overwritten(to.file.bytes, data, 0);
        if (copied > 0) this.#touched(to.file);
        return;
      }
      case 'close': {
        const slot = this.#slot(step.slot);
        if (!slot) return;
        this.#compareSlot(slot);
        kernel.close(slot.handle);
        this.#slots.splice(this.#slots.indexOf(slot), 1);
        return;
      }
      case 'truncate': {
        const node = this.#node(step.path);
        if (node?.type === 'link' || node?.type === 'folder') return;
        this.#both(step, node !== undefined && this.#isOpen(step.path), () =>
          kernel.retrying(step.path, (number) => this.#send(number, { sizeBytes: step.size })),
        );
        if (!node || !this.#isOpen(step.path)) return;
        node.bytes = resized(node.bytes, step.size);
        this.#touched(node);
        return;
      }
      case 'mkdir':
      case 'symlink': {
        const place = placeAt(this.root, step.path);
        const expected = this.#isOpen(step.path) && place?.node === undefined;
        this.#both(step, expected, () => {
          const parent = kernel.walk(step.path.slice(0, -1));
          const name = step.path.at(-1) ?? '';
          return kernel.request((front, context) =>
            step.do === 'mkdir'
              ? front.mkdir(context, parent, name, 0o755)
              : front.symlink(context, parent, name, step.target),
          );
        });
        if (!expected || !place) return;
        place.folder.children.set(
          place.name,
          step.do === 'mkdir' ? newFolder(0o755) : { type: 'link', target: step.target, xattrs: new Map() },
        );
        return;
      }
      case 'link': {
        const node = this.#node(step.path);
        const fits = node !== undefined && node.type !== 'folder' && !this.#isFixed(node, step.path);
        if (!this.#link(step, fits, (act) => kernel.retrying(step.path, act))) return;
        if (node?.type === 'file') node.pristine = false;
        if (node) this.#put(step.to, node);
        return;
      }
      case 'tmpfile': {
        const folder = step.path.length === 0 ? this.root : this.#node(step.path);
        const fits = folder?.type === 'folder' && !folder.readOnly;
        const handle = this.#both(step, fits, () => kernel.tmpfile(step.path, step.mode));
        if (handle) this.#slots.push({ handle, file: newFile(step.mode), writing: true, frozen: undefined });
        return;
      }
      case 'name': {
        const slot = this.#slot(step.slot);
        if (!slot || slot.frozen) return;
        if (this.#link(step, true, (act) => act(slot.handle.node))) this.#put(step.to, slot.file);
        return;
      }
      case 'unlink':
      case 'rmdir': {
        const place = placeAt(this.root, step.path);
        const { node } = place ?? {};
        const fits =
          step.do === 'unlink'
            ? node !== undefined && node.type !== 'folder'
            : node?.type === 'folder' && node.children.size === 0 && !node.readOnly;
        const expected = this.#isOpen(step.path) && fits;
        this.#both(step, expected, () => {
          const parent = kernel.walk(step.path.slice(0, -1));
          const name = step.path.at(-1) ?? '';
          kernel.request((front, context) => front[step.do](context, parent, name));
        });
        if (expected) place?.folder.children.delete(place.name);
        return;
      }
      case 'rename':
        this.#rename(step);
        return;
      case 'chmod': {
        const node = this.#node(step.path);
        if (node?.type === 'link') return;
        const expected =
          node !== undefined && !this.#isFixed(node, step.path) && !(node.type === 'folder' && node.fixed);
        this.#both(step, expected, () =>
          kernel.retrying(step.path, (number) => this.#send(number, { mode: step.mode })),
        );
        if (!expected) return;
        node.mode = step.mode;
        if (node.type === 'file') node.pristine = false;
        return;
      }
      case 'utimes': {
        const node = this.#node(step.path);
        if (node?.type === 'link') return;
        const expected =
          node !== undefined && !this.#isFixed(node, step.path) && !(node.type === 'folder' && node.fixed);
        const timeNs = BigInt(step.seconds) * 1_000_000_000n;
        this.#both(step, expected, () =>
          kernel.retrying(step.path, (number) => this.#send(number, { atimeNs: timeNs, mtimeNs: timeNs })),
        );
        if (!expected || node.type !== 'file') return;
        this.#touched(node);
        node.mtimeMs = step.seconds * 1000;
        return;
      }
      case 'setxattr':
      case 'removexattr': {
        const node = this.#node(step.path);
        if (node?.type === 'link') return;
        const present = node?.xattrs.has(step.name) ?? false;
        const flags = step.do === 'setxattr' ? step.flags : 2;
        const fits = flags === 0 || (flags === 1 ? !present : present);
        const expected =
          node !== undefined &&
          !this.#isFixed(node, step.path) &&
          !(node.type === 'folder' && node.fixed) &&
          fits;
        this.#both(step, expected, () =>
          kernel.retrying(step.path, (number) =>
            kernel.request((front, context) =>
              step.do === 'setxattr'
                ? front.setxattr(context, number, step.name, Buffer.from(step.value), step.flags)
                : front.removexattr(context, number, step.name),
            ),
          ),
        );
        if (node?.type === 'file' && this.#isOpen(step.path)) node.pristine = false;
        if (!expected) return;
        if (step.do === 'setxattr') node.xattrs.set(step.name, step.value);
        else node.xattrs.delete(step.name);
        return;
      }
      case 'begin-landing': {
        const files = [...kernel.overlay.sealed.files()];
        const file = files[step.nth % Math.max(1, files.length)];
        // A file lands once at a time.
        if (!file || this.#landings.some(({ inode }) => inode === file.inode)) return;
        const landing = kernel.beginLanding(file.inode);
        if (landing) this.#landings.push(landing);
        return;
      }
      case 'end-landing': {
        const landing = this.#landings.shift();
        if (landing) kernel.endLanding(landing);
        return;
      }
      case 'spill': {
        const slot = this.#slot(step.slot);
        const inode = slot?.writing ? kernel.overlay.inode(slot.handle.node) : undefined;
        if (inode && !inode.sealed) kernel.inside(() => kernel.overlay.bytes.spill(inode));
        return;
      }
      case 'spill-resting':
        kernel.inside(() => kernel.overlay.bytes.spillResting(step.pages * 4096, Number.POSITIVE_INFINITY));
        return;
      case 'fchmod-old': {
        const slot = this.#slot(step.slot);
        if (!slot?.frozen) return;
        try {
          this.#send(slot.handle.node, { mode: slot.file.mode });
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
        }
        return;
      }
      case 'fsync': {
        const slot = this.#slot(step.slot);
        if (!slot) return;
        const { node, reply } = slot.handle;
        kernel.request((front, context) => front.fsync(context, node));
        void reply;
        return;
      }
      case 'read-while-landing': {
        const node = this.#node(step.path);
        if (node?.type !== 'file') return;
        const landing = kernel.beginLanding(kernel.walk(step.path));
        if (!landing) return;
        const handle = kernel.open(step.path, 0);
        kernel.beforeReading = () => kernel.endLanding(landing);
        const got = kernel.read(handle, 0, node.bytes.length + 10);
        if (kernel.beforeReading) kernel.beforeReading();
        kernel.beforeReading = undefined;
        if (Buffer.compare(got, node.bytes) !== 0) this.#fail('a file that lands is read with other bytes');
        kernel.close(handle);
        return;
      }
      case 'publish':
        this.#publish(step);
        return;
      case 'discard':
        this.#discard();
        return;
      case 'begin-listing': {
        const folder = step.path.length === 0 ? this.root : this.#node(step.path);
        if (folder?.type !== 'folder') return;
        this.#listing = {
          node: kernel.walk(step.path),
          folder,
          cookie: 0,
          seen: [],
          steady: new Map(folder.children),
          ever: new Set(folder.children.keys()),
        };
        return;
      }
      case 'list': {
        const listing = this.#listing;
        if (!listing) return;
        const { names, next, ended } = kernel.list(listing.node, listing.cookie, step.room);
        listing.seen.push(...names);
        listing.cookie = next;
        if (!ended) return;
        this.#listing = undefined;
        const missing = [...listing.steady.keys()].filter((name) => !listing.seen.includes(name));
        if (missing.length > 0) this.#fail(`a listing left out ${missing.join(', ')}`);
        const twice = [...listing.steady.keys()].filter(
          (name) => listing.seen.indexOf(name) !== listing.seen.lastIndexOf(name),
        );
        if (twice.length > 0) this.#fail(`a listing has twice ${twice.join(', ')}`);
        const strange = listing.seen.filter((name) => !listing.ever.has(name));
        if (strange.length > 0) this.#fail(`a listing has ${strange.join(', ')}`);
        return;
      }
      case 'resume':
        kernel.resume();
        return;
      case 'remount':
        this.remount();
    }
  }

  /** A name at `step.to` for what `at` leads to. @returns whether that was to be. */
  #link(
    step: Step & { readonly to: Path },
    fits: boolean,
    at: (act: (node: number) => unknown) => unknown,
  ): boolean {
    const { kernel } = this;
    const place = placeAt(this.root, step.to);
    const expected = fits && this.#isOpen(step.to) && place?.node === undefined;
    this.#both(step, expected, () => {
      const parent = kernel.walk(step.to.slice(0, -1));
      return at((node) =>
        kernel.request((front, context) => front.link(context, node, parent, step.to.at(-1) ?? '')),
      );
    });
    return expected;
  }

  #put(path: Path, node: ReferenceNode): void {
    const place = placeAt(this.root, path);
    place?.folder.children.set(place.name, node);
  }

  /** How many names lead to a file. */
  #nameCount(wanted: ReferenceNode, folder: ReferenceFolder = this.root): number {
    let count = 0;
    for (const child of folder.children.values())
      count += child === wanted ? 1 : child.type === 'folder' ? this.#nameCount(wanted, child) : 0;
    return count;
  }

  remount(): void {
    for (const slot of this.#slots) this.#compareSlot(slot);
    this.#slots.length = 0;
    this.#listing = undefined;
    this.kernel.remount();
    this.#forgetLandings();
    if (this.kernel.lost.length > 0) this.#fail(`lost: ${this.kernel.lost.join(', ')}`);
  }

  #forgetLandings(): void {
    for (const { inode, record } of this.#landings) this.kernel.forgetLanding(inode, record);
    this.#landings.length = 0;
  }

  /** The output folder holds what is wanted and nothing else. */
  compareLanded(): void {
    for (const landing of this.#landings.splice(0)) this.kernel.endLanding(landing);
    this.kernel.clearAbandoned();
    const orphans = this.kernel.orphans();
    if (orphans.length > 0) this.#fail(`left in the output folder: ${orphans.join(', ')}`);
  }

  #send(node: number, change: { sizeBytes?: number; mode?: number; atimeNs?: bigint; mtimeNs?: bigint }) {
    return this.kernel.request((front, context) =>
      front.setattr(context, node, { ...change, throughHandle: false }),
    );
  }

  #setattr(step: Step, node: number, change: { sizeBytes: number }): void {
    this.#both(step, true, () => this.#send(node, change));
  }

  #rename(step: Extract<Step, { do: 'rename' }>): void {
    const { kernel } = this;
    const from = placeAt(this.root, step.path);
    const to = placeAt(this.root, step.to);
    const isSame = from?.node !== undefined && from.node === to?.node;
    const expected = ((): boolean => {
      if (!from?.node || !to || !this.#isOpen(step.path) || !this.#isOpen(step.to)) return false;
      const { node } = from;
      if (node.type === 'folder' && node.readOnly) return false;
      if (step.flags === NOREPLACE && to.node) return false;
      if (step.flags === EXCHANGE && !to.node) return false;
      if (isSame) return true;
      if (isWithin(to.folder, node)) return false;
      if (to.node?.type === 'folder' && to.node.readOnly) return false;
      if (!to.node) return true;
      if (step.flags === EXCHANGE) return !isWithin(from.folder, to.node);
      if (to.node.type === 'folder') return node.type === 'folder' && to.node.children.size === 0;
      return node.type !== 'folder';
    })();
    this.#both(step, expected, () => {
      const parent = kernel.walk(step.path.slice(0, -1));
      const newParent = kernel.walk(step.to.slice(0, -1));
      kernel.request((front, context) =>
        front.rename(context, parent, step.path.at(-1) ?? '', newParent, step.to.at(-1) ?? '', step.flags),
      );
    });
    if (!expected || isSame || !from?.node || !to) return;
    if (step.flags === EXCHANGE && to.node) from.folder.children.set(from.name, to.node);
    else from.folder.children.delete(from.name);
    to.folder.children.set(to.name, from.node);
  }

  /** As the hook pump does it: again until it is done, and then never again. */
  #publish(step: Extract<Step, { do: 'publish' }>): void {
    const { kernel } = this;
    const input = this.#node(step.path);
    if (input?.type !== 'file') return;
    const number = kernel.walk(step.path);
    const inode = kernel.overlay.inode(number);
    if (!inode?.sealed) return;
    const rule = `rule ${this.#published++}`;
    const mountPath = kernel.overlay.names.pathOf(number) ?? '';
    const source = { inode: number, version: inode.version, rule, mountPath };
    const outputs = ['labels', 'table'].map((name, i) => ({
      path: [...step.to, name],
      bytes: pattern(1000 * (i + 1), step.seed + i),
    }));
    const fits = ((): boolean => {
      let folder = this.root;
      for (const name of step.to) {
        const next = folder.children.get(name);
        if (next === undefined) return !folder.readOnly;
        if (next.type !== 'folder') return false;
        folder = next;
      }
      return !folder.readOnly && outputs.every(({ path }) => this.#node(path)?.type !== 'folder');
    })();
    const isDone = (): boolean => kernel.overlay.inode(number)?.hooksDone?.has(rule) ?? false;
    for (let tries = 0; !isDone(); tries++) {
      if (tries > 3) this.#fail('a hook never ends');
      const staged = outputs.map(({ path, bytes }, i) => ({
        mountPath: path.join('/'),
        stagedPath: kernel.stage(`output-${i}`, bytes),
      }));
      const deaths = kernel.deaths;
      const answer = this.#both(step, fits, () => {
        try {
          return kernel.inside(() => publishOutputs(kernel.overlay, source, staged, { uid: 0, gid: 0 }));
        } catch (error) {
          if (error instanceof Error && error.name === 'FsRefusal') throw new Refused(20);
          throw error;
        }
      });
      if (!fits) return;
      if (kernel.deaths === deaths && answer?.accepted !== true) this.#fail('a publication was refused');
    }
    let folder = this.root;
    for (const name of step.to) {
      const next = folder.children.get(name) ?? newFolder(0o755);
      folder.children.set(name, next);
      if (next.type !== 'folder') this.#fail('unreachable');
      folder = next as ReferenceFolder;
    }
    for (const { path, bytes } of outputs) folder.children.set(path.at(-1) ?? '', newFile(0o644, bytes));
  }

  /** Again until no daemon dies over it. */
  #discard(): void {
    const { kernel } = this;
    for (let deaths = -1; deaths !== kernel.deaths; ) {
      deaths = kernel.deaths;
      kernel.inside(() => discardPaths(kernel.overlay, kernel.tree, [''], true));
    }
    this.root.children.clear();
    for (const [name, node] of (referenceOf(this.#seed, false) as ReferenceFolder).children)
      this.root.children.set(name, node);
    this.#listing = undefined;
  }

  #watchListing(): void {
    const listing = this.#listing;
    if (!listing) return;
    for (const [name, node] of listing.steady)
      if (listing.folder.children.get(name) !== node) listing.steady.delete(name);
    for (const name of listing.folder.children.keys()) listing.ever.add(name);
  }

  /** What is counted of closed files as they come and go is what there is. */
  #checkCounts(): void {
    const { sealed, store } = this.kernel.overlay;
    const files = [...sealed.files()];
    const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    const memoryBytes = files.reduce((sum, file) => sum + store.reservedOf(file.inode), 0);
    const waiting = [...this.kernel.overlay.names.inodes.values()].filter(
      (inode) => isFile(inode) && inode.sealed && !inode.landed && inode.place,
    );
    const counted = [sealed.count, sealed.sizeBytes, sealed.memoryBytes];
    const there = [waiting.length, sizeBytes, memoryBytes];
    if (String(counted) !== String(there))
      this.#fail(`closed files, their bytes and memory are counted as ${counted}, and are ${there}`);
  }

  #checkBudget(): void {
    const { store, names } = this.kernel.overlay;
    const slack = (names.inodes.size + 1) * PAGE_BYTES;
    if (store.reservedBytes > this.#budgetBytes + slack)
      this.#fail(`${store.reservedBytes} bytes of ${this.#budgetBytes} are reserved`);
    const used = this.kernel.memoryBytes();
    if (used > store.reservedBytes)
      this.#fail(`${used} bytes of memory are used, ${store.reservedBytes} reserved`);
  }

  #compareSlot(slot: Slot): void {
    const { handle, file, frozen } = slot;
    if (!handle.writing && handle.backingFd !== undefined && frozen === undefined) return;
    const want = frozen ?? file.bytes;
    const got = this.kernel.read(handle, 0, want.length + 10);
    if (Buffer.compare(got, want) !== 0) this.#fail('an open file has other bytes');
  }

  /** Everything visible, and everything open. */
  compare(): void {
    this.#compareFolder(this.root, ROOT_NODE, '');
    for (const slot of this.#slots) this.#compareSlot(slot);
  }

  #compareFolder(folder: ReferenceFolder, node: number, path: string): void {
    const names: string[] = [];
    for (let cookie = 0, ended = false; !ended; ) {
      const page = this.kernel.list(node, cookie, 3);
      names.push(...page.names);
      cookie = page.next;
      ended = page.ended;
    }
    const want = [...folder.children.keys()].sort();
    if (names.sort().join('\n') !== want.join('\n'))
      this.#fail(`${path || '/'} lists ${names.join(', ')} and not ${want.join(', ')}`);
    for (const [name, child] of folder.children) this.#compareNode(child, node, name, `${path}/${name}`);
  }

  #compareNode(want: ReferenceNode, parent: number, name: string, path: string): void {
    const { kernel } = this;
    const node = kernel.lookup(parent, name);
    const { attributes } = kernel.request((front, context) => front.getattr(context, node));
    const type = { file: 0o100000, folder: 0o040000, link: 0o120000 }[want.type];
    if ((attributes.mode & 0o170000) !== type) this.#fail(`${path} is no ${want.type}`);
    const mode = want.type === 'link' ? 0o777 : want.mode;
    if ((attributes.mode & 0o7777) !== mode)
      this.#fail(`${path} has mode ${attributes.mode.toString(8)}, not ${mode.toString(8)}`);
    if (want.type !== 'folder' && attributes.nlink !== this.#nameCount(want))
      this.#fail(`${path} has ${attributes.nlink} links, not ${this.#nameCount(want)}`);
    const attributeNames = kernel
      .request((front, context) => front.listxattr(context, node))
      .filter((attribute) => !attribute.startsWith('user.platefs.'));
    if (attributeNames.sort().join() !== [...want.xattrs.keys()].sort().join())
      this.#fail(`${path} has attributes ${attributeNames.join()}`);
    for (const [attribute, value] of want.xattrs) {
      const got = kernel.request((front, context) => front.getxattr(context, node, attribute));
      if (Buffer.from(got).toString() !== value) this.#fail(`${path}: ${attribute} differs`);
    }
    if (want.type === 'folder') this.#compareFolder(want, node, path);
    else if (want.type === 'link') {
      const target = kernel.request((front, context) => front.readlink(context, node));
      if (target !== want.target) this.#fail(`${path} points to ${target}`);
    } else {
      if (attributes.sizeBytes !== want.bytes.length)
        this.#fail(`${path} has ${attributes.sizeBytes} bytes, not ${want.bytes.length}`);
      if (want.mtimeMs !== undefined && Number(attributes.mtimeNs / 1_000_000n) !== want.mtimeMs)
        this.#fail(`${path} has mtime ${attributes.mtimeNs} ns, not ${want.mtimeMs} ms`);
      const handle = kernel.open(path.slice(1).split('/'), 0);
      const got = kernel.read(handle, 0, want.bytes.length + 100);
      kernel.close(handle);
      const difference = got.findIndex((byte, i) => byte !== want.bytes[i]);
      if (got.length !== want.bytes.length || difference !== -1)
        this.#fail(`${path} differs at byte ${difference}, ${got.length} of ${want.bytes.length} bytes`);
    }
  }
}
