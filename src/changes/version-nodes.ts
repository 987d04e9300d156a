import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FIRST_OVERLAY_INODE, isOverlayNode } from '../overlay/inode.ts';
import { MAX_PARTS, PART_NODES } from '../tree/shared-mount.ts';

/** `.platefs/versions`: beside the documents' numbers. */
export const VERSIONS_NODE = 24;
/** The name of what was written, among the parts of a mount. */
const WRITTEN = -1;

/**
 * Numbers for earlier revisions. Of every part of a mount but the first the upper half of its numbers is free: each
 * takes the numbers of one part, or of what was written, of one revision.
 */
export interface VersionPlace {
  readonly revision: number;
  /** The node that the mount itself has, or had: the tree's or the overlay's. */
  readonly node: number;
}

const SLOT_NODES = PART_NODES / 2;
const SLOTS = MAX_PARTS - 1;

export const isVersionNode = (node: number): boolean => node >= PART_NODES && node % PART_NODES >= SLOT_NODES;

/** The table of which numbers are whose, in a file that every thread and the next daemon of a connection reads. */
export class VersionNodes {
  readonly #path: string;
  #slots: readonly string[] = [];
  #bySlotName = new Map<string, number>();

  constructor(stateFolder: string) {
    this.#path = join(stateFolder, 'revisions', 'slots.json');
    this.reload();
  }

  reload(): void {
    this.#slots = existsSync(this.#path) ? (JSON.parse(readFileSync(this.#path, 'utf8')) as string[]) : [];
    this.#bySlotName = new Map(this.#slots.map((name, slot) => [name, slot]));
  }

  /** Revisions that have numbers. */
  get revisions(): Set<number> {
    return new Set(this.#slots.map((name) => Number(name.split('/')[0])));
  }

  /**
   * Gives revisions numbers, the newest first, as long as there are any; those that have some keep them.
   * @param parts numbers of the mount's parts.
   * @param isNew the kernel knows no numbers yet. Else it may remember those of revisions that were dropped.
   */
  assign(revisions: readonly number[], parts: readonly number[], isNew: boolean): void {
    const slots = isNew ? [] : [...this.#slots];
    const present = new Set(slots);
    const needs = [...parts, WRITTEN];
    for (const revision of [...revisions].sort((a, b) => b - a)) {
      const missing = needs.map((part) => `${revision}/${part}`).filter((name) => !present.has(name));
      if (missing.length > SLOTS - slots.length) break;
      slots.push(...missing);
    }
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    writeFileSync(`${this.#path}.new`, JSON.stringify(slots), { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
    this.reload();
  }

  /** What a number stands for; undefined for one that was never given. */
  placeOf(node: number): VersionPlace | undefined {
    const name = this.#slots[Math.floor(node / PART_NODES) - 1];
    if (name === undefined) return undefined;
    const [revision = 0, part = 0] = name.split('/').map(Number);
    const local = (node % PART_NODES) - SLOT_NODES;
    return { revision, node: part === WRITTEN ? FIRST_OVERLAY_INODE + local : part * PART_NODES + local };
  }

  /** The number of a node in a revision; undefined where the revision has none. */
  nodeOf({ revision, node }: VersionPlace): number | undefined {
    const isWritten = isOverlayNode(node);
    const part = isWritten ? WRITTEN : Math.floor(node / PART_NODES);
    const slot = this.#bySlotName.get(`${revision}/${part}`);
    if (slot === undefined) return undefined;
    const local = isWritten ? node - FIRST_OVERLAY_INODE : node % PART_NODES;
    return (slot + 1) * PART_NODES + SLOT_NODES + local;
  }
}
