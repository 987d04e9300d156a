import { plainText } from '../../core/metadata-values.ts';
import type { PlateWarning } from '../../model/plate.ts';

/** Examples named in a warning. */
const MAX_EXAMPLES = 20;
const MAX_EXAMPLE_LENGTH = 300;

/** Copied, so that it doesn't keep alive the large text it may have been cut from. */
const copied = (text: string): string => Buffer.from(text).toString();

/** Cases of one kind that one warning tells together: their number, and the first of them by name. */
export class WarningTally {
  count = 0;
  readonly #examples: string[] = [];
  readonly #files: string[] = [];

  /** `file` is plate-relative; `example` says the case where the path alone doesn't. */
  add(file: string, example: string = file): void {
    this.count += 1;
    if (this.#examples.length >= MAX_EXAMPLES) return;
    const plain = plainText(example) ?? 'an empty one';
    this.#examples.push(
      copied(plain.length > MAX_EXAMPLE_LENGTH ? `${plain.slice(0, MAX_EXAMPLE_LENGTH)}…` : plain),
    );
    this.#files.push(copied(file));
  }

  /** `3 <many>, e.g. a.tif` as a warning, or none without a case. `one` and `many` follow the number. */
  tell(kind: string, one: string, many: string, rule: string): PlateWarning[] {
    if (this.count === 0) return [];
    return [
      {
        kind,
        message: `${this.count} ${this.count === 1 ? one : many}, e.g. ${this.#examples[0]}`,
        files: [...this.#files],
        rule,
      },
    ];
  }
}
