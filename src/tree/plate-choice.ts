import type { Detection, FormatHandler } from '../formats.ts';

/** What a handler says of a folder. */
export interface Verdict {
  readonly handler: FormatHandler;
  readonly detection: Detection;
}

/** The handler of a plate, and those that described it and gave way. */
export interface Choice extends Verdict {
  readonly gaveWay: readonly Verdict[];
}

/**
 * Settles between handlers that are all certain: a description gives way to those whose files it describes, a plate
 * that says whose it is prevails over its parts, and what is in the folder itself comes before what lies below it.
 */
export function settle(
  folder: string,
  certain: readonly Verdict[],
): { readonly best: readonly Verdict[]; readonly gaveWay: readonly Verdict[] } {
  const rootOf = ({ detection }: Verdict): string => detection.root ?? folder;
  const isWithin = (one: Verdict, other: Verdict): boolean =>
    rootOf(one) === rootOf(other) || rootOf(one).startsWith(`${rootOf(other)}/`);
  const givesWay = (one: Verdict): boolean => one.detection.standing === 'gives-way';
  const gaveWay = certain.filter(
    (one) => givesWay(one) && certain.some((other) => !givesWay(other) && isWithin(other, one)),
  );
  const kept = certain.filter((one) => !gaveWay.includes(one));
  const ruling = kept.filter(({ detection }) => detection.standing === 'prevails');
  const equal = kept.filter((one) => !ruling.some((other) => other !== one && isWithin(one, other)));
  const here = equal.filter((one) => rootOf(one) === folder);
  return { best: here.length === 1 ? here : equal, gaveWay };
}
