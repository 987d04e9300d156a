import type { PlateWarning } from '../../model/plate.ts';
import { plainText } from './metadata-values.ts';

/** Examples named in a warning. */
const MAX_EXAMPLES = 20;

/** Cases of one kind that one warning tells together. */
export class WarningTally {
  count = 0;
  readonly #examples: string[] = [];
  readonly #files: string[] = [];

  /** `file` is plate-relative; `example` says the case where the path alone doesn't. */
  add(file: string, example: string = file): void {
    this.count += 1;
    if (this.#examples.length >= MAX_EXAMPLES) return;
    const plain = plainText(example) ?? 'an empty one';
    this.#examples.push(plain.length > 300 ? `${plain.slice(0, 300)}…` : plain);
    this.#files.push(file);
  }

  /** The warning, or nothing without a case. `one` and `many` follow the number. */
  *tell(kind: string, one: string, many: string, rule: string): Generator<PlateWarning> {
    if (this.count === 0) return;
    yield {
      kind,
      message: `${this.count} ${this.count === 1 ? one : many}, e.g. ${this.#examples[0]}`,
      files: this.#files,
      rule,
    };
  }
}
