import type { PlateWarning } from '../../model/plate.ts';
import { WarningTally } from './warning-tally.ts';

/** Files that are not shown, told together by why. */
export class LeftAside {
  readonly #kinds = new Map<string, { message: string; rule: string; tally: WarningTally }>();

  /** `message` goes on after "12 files". */
  add(kind: string, path: string, message: string, rule: string): void {
    let told = this.#kinds.get(kind);
    if (!told) this.#kinds.set(kind, (told = { message, rule, tally: new WarningTally() }));
    told.tally.add(path);
  }

  warnings(): PlateWarning[] {
    return [...this.#kinds].flatMap(([kind, { message, rule, tally }]) =>
      tally.tell(kind, `file ${message}`, `files ${message}`, rule),
    );
  }
}
