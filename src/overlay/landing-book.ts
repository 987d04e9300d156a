import { passFaultPoint } from '../core/fault-points.ts';
import type { FileOrigin } from '../model/file-origin.ts';
import type { DataStore } from './data-store.ts';
import type { HandleLog } from './handle-log.ts';
import type { Abandoned, LandingRecord, OverlayInode } from './inode.ts';
import { originOf } from './made-by.ts';
import type { Namespace } from './namespace.ts';
import type { OverlayRecord } from './records.ts';

/** A version of a file, and where it is safe now. */
export interface LandedItem {
  readonly inode: number;
  readonly version: number;
  readonly record: LandingRecord;
}

export interface LandingBookParts {
  readonly names: Namespace;
  readonly store: DataStore;
  readonly handles: HandleLog;
  /** Makes a change: in the journal first, then in memory. */
  readonly commit: (record: OverlayRecord) => void;
  /** Makes every change so far survive power loss. */
  readonly sync: () => void;
  /** Called when a landing is no longer needed; told again after a restart until {@link LandingBook.cleared}. */
  readonly onAbandoned: (abandoned: Abandoned) => void;
}

/** A landed file that has another name than the one it landed under. */
export interface MovedFile {
  readonly inode: number;
  readonly version: number;
  readonly mountPath: string;
  readonly record: LandingRecord;
  /** Where it comes from, as far as that is known. */
  readonly origin?: FileOrigin;
}

/** Which versions of files are safe in the output folder, and which landings there nobody needs any more. */
export class LandingBook {
  readonly #parts: LandingBookParts;
  #lastAnnounced = 0;

  constructor(parts: LandingBookParts) {
    this.#parts = parts;
  }

  #inode(number: number): OverlayInode | undefined {
    return this.#parts.names.inodes.get(number);
  }

  /**
   * Notes that versions are safe in the output folder, makes that survive power loss, and frees their memory.
   * `refused` are the items that are out of date (their files were written, unlinked or landed meanwhile) and,
   * when the journal can't take a line, those from that one on; `failure` then says why.
   */
  landed<Item extends LandedItem>(items: readonly Item[]): { refused: Item[]; failure?: unknown } {
    const noted: number[] = [];
    const refused: Item[] = [];
    let failure: unknown;
    for (const item of items) {
      try {
        const isNoted = failure === undefined && this.#noteLanded(item);
        if (isNoted) noted.push(item.inode);
        else refused.push(item);
      } catch (error) {
        failure = error;
        refused.push(item);
      }
    }
    if (noted.length > 0) this.#parts.sync();
    passFaultPoint('overlay.landed-not-freed');
    for (const number of noted) this.#parts.store.remove(number);
    const { synced } = this.#parts.store;
    if (noted.length > 0) synced.removed(synced.takeUnwanted());
    this.announceAbandoned();
    return { refused, ...(failure === undefined ? {} : { failure }) };
  }

  #noteLanded({ inode: number, version, record }: LandedItem): boolean {
    const inode = this.#inode(number);
    if (!inode?.sealed || inode.version !== version || inode.landed || inode.place === undefined)
      return false;
    if (this.#parts.handles.isWriting(number)) return false;
    const { sizeBytes, mtimeNs, ctimeNs } = this.#parts.store.stat(inode);
    this.#commitLanded(inode, record, {
      sizeBytes,
      mtimeNs,
      changedNs: ctimeNs > inode.changedNs ? ctimeNs : inode.changedNs,
    });
    return true;
  }

  #commitLanded(
    { number, version }: OverlayInode,
    record: LandingRecord,
    seen: { readonly sizeBytes: number; readonly mtimeNs: bigint; readonly changedNs: bigint },
  ): void {
    const { sizeBytes } = seen;
    const times = { mtimeNs: String(seen.mtimeNs), changedNs: String(seen.changedNs) };
    this.#parts.commit({ op: 'landed', inode: number, version, record, sizeBytes, ...times });
  }

  /** Notes that a landing of a file is of no use, since the file changed meanwhile. */
  abandon(number: number, record: LandingRecord): void {
    const inode = this.#inode(number);
    const present = (inode?.landed ?? inode?.previous)?.record;
    // The same bytes in another branch's output folder are another landing.
    if (present?.['id'] === record['id'] && present?.['owner'] === record['owner']) return;
    this.#parts.commit({ op: 'abandoned', record });
    this.announceAbandoned();
  }

  /** Says once of every landing that it is to be removed. */
  announceAbandoned(): void {
    for (const abandoned of this.#parts.names.abandoned.values()) {
      if (abandoned.id <= this.#lastAnnounced) continue;
      this.#lastAnnounced = abandoned.id;
      this.#parts.onAbandoned(abandoned);
    }
  }

  /** What was to be removed is. */
  cleared(id: number): void {
    if (this.#parts.names.abandoned.has(id)) this.#parts.commit({ op: 'cleared', id });
  }

  /** Notes that a landed file lies elsewhere now. */
  relanded(number: number, version: number, record: LandingRecord): boolean {
    const inode = this.#inode(number);
    if (!inode?.landed || inode.version !== version) return false;
    this.#commitLanded(inode, record, { ...inode.landed, changedNs: inode.changedNs });
    this.announceAbandoned();
    return true;
  }

  /** Landed files that have another name than the one they landed under. */
  *moved(): Generator<MovedFile> {
    for (const inode of this.#parts.names.inodes.values()) {
      const { number, version, landed } = inode;
      const mountPath = landed && this.#parts.names.pathOf(number);
      if (mountPath === undefined || !landed || landed.record['mountPath'] === mountPath) continue;
      const origin = originOf(inode);
      yield {
        inode: number,
        version,
        mountPath,
        record: landed.record,
        ...(origin === undefined ? {} : { origin }),
      };
    }
  }
}
