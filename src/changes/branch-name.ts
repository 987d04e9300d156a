import { BadParameterError } from '../core/errors.ts';

/** The branch that is there from the first mount on: what is mounted where none is named. */
export const MAIN_BRANCH = 'main';

/** It names a folder below the output folder: NAME_MAX of Linux file systems; <linux/limits.h>. */
const MAX_NAME_BYTES = 255;

/** Names that one file system or another takes for the same. */
export const foldedName = (name: string): string => name.normalize('NFC').toLowerCase().normalize('NFC');

/** What is wrong with a name for a branch; undefined for a good one. */
function problemOf(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`;
  if (/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(name)) return 'has characters that can not be shown';
  if (name.includes('/')) return "has a '/'";
  if (name.includes('@')) return "has an '@', which stands before the number of a revision";
  if (name.includes('..')) return "has '..' in it";
  if (/^[.\-\s]|\s$/.test(name)) return 'begins with a dot, a dash or a space, or ends with a space';
  if (/^\d+$/.test(name)) return 'is a number: those are revisions';
  if (foldedName(name) === MAIN_BRANCH) return `is what is mounted where no branch is named`;
  return undefined;
}

/** @throws BadParameterError for a name that no branch can have. */
export function checkBranchName(name: string, parameter: string): string {
  const problem = problemOf(name);
  if (problem === undefined) return name;
  throw new BadParameterError(parameter, `${JSON.stringify(name)} ${problem}; give the branch another name`);
}

/** What a branch is to be made from: a branch as it is now, or a revision of one. */
export interface OriginWish {
  /** A branch's name; `main` too. */
  readonly branch: string;
  readonly revision?: number;
}

/** Reads `3`, `NAME` or `NAME@3`. @throws BadParameterError */
export function parseOrigin(word: string, parameter: string): OriginWish {
  const cut = word.lastIndexOf('@');
  const [branch, number] = /^\d+$/.test(word)
    ? [MAIN_BRANCH, word]
    : cut < 0
      ? [word, undefined]
      : [word.slice(0, cut), word.slice(cut + 1)];
  if (number === undefined && branch !== '') return { branch };
  const revision = Number(number);
  if (branch === '' || !/^\d+$/.test(number ?? '') || !Number.isSafeInteger(revision) || revision < 1)
    throw new BadParameterError(
      parameter,
      `'${word}' is no revision and no branch; write 3, NAME or NAME@3, as  platefs history  and  platefs branch list  tell them`,
    );
  return { branch, revision };
}
