import type { PlateWarning } from '../../model/plate.ts';
import { joinPath } from './plate-path.ts';
import type { WalkedDirectory } from './plate-walk.ts';
import { WarningTally } from './warning-tally.ts';

/** What a walk through a plate had to leave aside, whatever its format. */
export class WalkAside {
  readonly #undecodable = new WarningTally();
  readonly #special = new WarningTally();
  readonly #escaping = new WarningTally();
  readonly #unreadable: PlateWarning[] = [];

  add({ path, undecodable, special, escaping, failure }: WalkedDirectory): void {
    for (const name of undecodable) this.#undecodable.add(joinPath(path, name));
    for (const name of special) this.#special.add(joinPath(path, name));
    for (const name of escaping) this.#escaping.add(joinPath(path, name));
    if (!failure) return;
    const reason = failure.cause instanceof Error ? failure.cause.message : failure.message;
    this.#unreadable.push({
      kind: 'unreadable-folder',
      message: `${path} could not be listed, its images are not shown: ${reason}`,
      files: [path],
    });
  }

  warnings(): PlateWarning[] {
    return [
      ...this.#unreadable,
      ...this.#special.tell(
        'special-file',
        'file is a pipe, socket or device',
        'files are pipes, sockets or devices',
        'they are not shown',
      ),
      ...this.#undecodable.tell(
        'unreadable-name',
        'file has a name that is not UTF-8',
        'files have names that are not UTF-8',
        'they are not shown; rename them to have them shown',
      ),
      ...this.#escaping.tell(
        'link-out-of-plate',
        'link leads out of the plate',
        'links lead out of the plate',
        'they are not followed; mount with -o follow_links to follow them',
      ),
    ];
  }
}
