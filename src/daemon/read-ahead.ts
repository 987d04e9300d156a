import { LRUCache } from 'lru-cache';
import type { RenderUnit } from '../tree/render-unit.ts';

/** What somebody will probably read soon: whole units of one file, in their order. */
export interface Ahead {
  readonly node: number;
  readonly units: readonly RenderUnit[];
}

/** What follows from a read. */
export interface Foresight {
  readonly ahead?: Ahead;
  /** Whoever read this file on and on has gone elsewhere: what was foreseen of it is of no use. */
  readonly broken?: number;
}

export interface ReadAheadParts {
  /** The unit of a file that a byte lies in; one without end beyond the file's own. */
  readonly unitAt: (node: number, offsetBytes: number) => RenderUnit;
  /** Whether there is a file of that number that is put together when it is read. */
  readonly isRendered: (node: number) => boolean;
  /** The most to be foreseen at once. */
  readonly limitBytes: number;
}

/** What is known of one file's reader. */
interface Walk {
  /** Behind the farthest byte of the run. */
  endBytes: number;
  runBytes: number;
  /** What was foreseen so far ends here. */
  aheadBytes: number;
}

const MAX_WALKS = 64;
/** So much in a row, and this share of a unit, is no window of a few hundred rows. */
const RUN_BYTES = 1024 * 1024;
const RUN_SHARE = 0.25;
/** Reads of one run may overtake each other by so much: the kernel has several on their way. */
const SLACK_BYTES = 2 * 1024 * 1024;
/** Of small units, several are foreseen at once. */
const AHEAD_BYTES = 1024 * 1024;
const NOTHING: Foresight = {};

/**
 * Sees where programs go on reading: on and on in one file, and from file to file in even steps, which is how planes,
 * fields, channels and time points are walked, whichever comes first.
 */
export class ReadAhead {
  readonly #parts: ReadAheadParts;
  readonly #walks = new LRUCache<number, Walk>({ max: MAX_WALKS });
  #lastNode = 0;
  #step = 0;

  constructor(parts: ReadAheadParts) {
    this.#parts = parts;
  }

  /** A program reads a file that has to be decoded. */
  noted(node: number, offsetBytes: number, sizeBytes: number): Foresight {
    const walk = this.#walks.get(node);
    if (!walk) {
      this.#walks.set(node, { endBytes: offsetBytes + sizeBytes, runBytes: sizeBytes, aheadBytes: 0 });
      return this.#nextFile(node);
    }
    const endBytes = offsetBytes + sizeBytes;
    if (Math.abs(offsetBytes - walk.endBytes) > SLACK_BYTES) {
      const isBroken = walk.aheadBytes > walk.endBytes;
      this.#walks.set(node, { endBytes, runBytes: sizeBytes, aheadBytes: 0 });
      return isBroken ? { broken: node } : NOTHING;
    }
    walk.runBytes += sizeBytes;
    walk.endBytes = Math.max(walk.endBytes, endBytes);
    const unit = this.#parts.unitAt(node, Math.max(0, walk.endBytes - 1));
    if (walk.runBytes < Math.max(RUN_BYTES, (unit.endBytes - unit.startBytes) * RUN_SHARE)) return NOTHING;
    return this.#nextUnits(node, walk, unit);
  }

  #nextUnits(node: number, walk: Walk, unit: RenderUnit): Foresight {
    const { unitAt, limitBytes } = this.#parts;
    const from = Math.max(walk.aheadBytes, unit.endBytes);
    const wanted = Math.max(AHEAD_BYTES, unit.endBytes - unit.startBytes);
    if (from - unit.endBytes >= wanted) return NOTHING;
    const units = unitsFrom(unitAt, node, from, Math.min(limitBytes, wanted));
    const last = units.at(-1);
    if (!last) return NOTHING;
    walk.aheadBytes = last.endBytes;
    return { ahead: { node, units } };
  }

  /** A file is read for the first time in a while. */
  #nextFile(node: number): Foresight {
    const step = node - this.#lastNode;
    const isEven = step !== 0 && step === this.#step;
    this.#lastNode = node;
    this.#step = step;
    const { unitAt, isRendered, limitBytes } = this.#parts;
    const next = node + step;
    if (!isEven || this.#walks.has(next) || !isRendered(next)) return NOTHING;
    const units = unitsFrom(unitAt, next, 0, Math.min(limitBytes, AHEAD_BYTES));
    return units.length > 0 ? { ahead: { node: next, units } } : NOTHING;
  }

  /** Files may be others now. */
  clear(): void {
    this.#walks.clear();
    this.#step = 0;
  }
}

/** Units from an offset on, until they hold so much; the last may go beyond. */
function unitsFrom(
  unitAt: ReadAheadParts['unitAt'],
  node: number,
  fromBytes: number,
  sizeBytes: number,
): RenderUnit[] {
  const units: RenderUnit[] = [];
  for (let at = fromBytes; at < fromBytes + sizeBytes; ) {
    const unit = unitAt(node, at);
    if (!Number.isFinite(unit.endBytes) || unit.endBytes <= at) break;
    units.push(unit);
    at = unit.endBytes;
  }
  return units;
}
