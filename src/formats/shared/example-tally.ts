import type { PlateWarning } from '../../model/plate.ts';

/** Examples named in a warning. */
const MAX_EXAMPLES = 20;

/** Files of one kind that one warning tells together: their number, and the first of them by name. */
export class ExampleTally {
  count = 0;
  readonly examples: string[] = [];

  add(path: string): void {
    this.count += 1;
    // Copied so that it doesn't keep alive the large text it may have been cut from.
    if (this.examples.length < MAX_EXAMPLES) this.examples.push(Buffer.from(path).toString());
  }

  /** `3 files <message>, e.g. a.tif` as a warning; none where nothing was added. */
  warnings(kind: string, noun: string, message: string, rule: string): PlateWarning[] {
    if (this.count === 0) return [];
    const { count, examples } = this;
    return [
      {
        kind,
        message: `${count} ${count === 1 ? noun : `${noun}s`} ${message}, e.g. ${examples[0]}`,
        files: [...examples],
        rule,
      },
    ];
  }
}
