import type { Abandoned, LandedBytes, LandingRecord } from './inode.ts';
import type { OverlayRecord } from './records.ts';

/** Which landings are to be removed from the output folder, from record to record. Does no I/O. */
export class AbandonedLandings {
  readonly #byId = new Map<number, Abandoned>();
  #nextId = 1;

  /** All of them by their id, oldest first. */
  get all(): ReadonlyMap<number, Abandoned> {
    return this.#byId;
  }

  /** The file that had landed there is gone. */
  gone(landed: LandedBytes | undefined): void {
    this.#add(landed, undefined);
  }

  /** The file landed anew, and with that as `successor` of where it lay before. */
  replaced(landed: LandedBytes | undefined, successor: LandingRecord): void {
    this.#add(landed, successor);
    // The same bytes landed in the same place again.
    for (const [id, old] of this.#byId)
      if (!old.successor && old.record['id'] === successor['id']) this.#byId.set(id, { ...old, successor });
  }

  #add(landed: LandedBytes | undefined, successor: LandingRecord | undefined): void {
    if (!landed) return;
    const id = this.#nextId++;
    this.#byId.set(id, {
      id,
      record: landed.record,
      ...(successor === undefined ? {} : { successor }),
    });
  }

  /** Takes one as the journal has it; what has no id yet gets the next. */
  note(noted: Extract<OverlayRecord, { op: 'abandoned' }>): void {
    const { op: _op, id = this.#nextId, ...abandoned } = noted;
    this.#byId.set(id, { ...abandoned, id });
    this.#nextId = Math.max(this.#nextId, id + 1);
  }

  /** It is removed. */
  cleared(id: number): void {
    this.#byId.delete(id);
  }
}
