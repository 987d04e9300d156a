import { BadParameterError } from '../../core/errors.ts';
import { compareNatural } from '../../model/natural-order.ts';

/** How the texts of an axis were turned into numbers. */
export interface AxisNumbers {
  /** Number of each text, by its place. */
  readonly numbers: readonly number[];
  /** Texts are words: they are numbered in natural order, and this is the word of each number. */
  readonly words?: ReadonlyMap<number, string>;
  /** They count from 0: all numbers are one more than written. */
  readonly countsFromZero: boolean;
}

/**
 * Numbers the texts of an axis: as they are written where all are counts, one more where they count from 0, else
 * in natural order from 1.
 * @param largest - Numbers beyond it are no counts but names: wavelengths, dates.
 * @throws BadParameterError when there are more than `mostWords` words.
 */
export function numberTexts(texts: readonly string[], largest: number, mostWords: number): AxisNumbers {
  if (texts.every((text) => /^\d+$/.test(text) && Number(text) <= largest)) {
    const written = texts.map(Number);
    const countsFromZero = written.includes(0);
    return { numbers: written.map((value) => value + (countsFromZero ? 1 : 0)), countsFromZero };
  }
  if (texts.length > mostWords)
    throw new BadParameterError(
      'layout',
      `its {channel} stands for ${texts.length} different words, '${texts[0]}' and '${texts[1]}' among them; write * for what is no channel`,
    );
  const sorted = texts.toSorted(compareNatural);
  const numbers = new Map(sorted.map((text, i) => [text, i + 1]));
  return {
    numbers: texts.map((text) => numbers.get(text) ?? 0),
    words: new Map(sorted.map((text, i) => [i + 1, text])),
    countsFromZero: false,
  };
}
