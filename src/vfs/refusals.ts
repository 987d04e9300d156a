import { FsRefusal } from '../core/errors.ts';

// Refusals are made once: clients ask for missing names all day, and a stack trace says nothing about them.
const once = (tag: ConstructorParameters<typeof FsRefusal>[0]): FsRefusal => {
  const refusal = new FsRefusal(tag);
  refusal.stack = `${refusal.name}: ${tag}`;
  return refusal;
};

export const NO_SUCH_ENTRY = once('no-such-entry');
export const ENTRY_EXISTS = once('entry-exists');
export const NOT_A_DIRECTORY = once('not-a-directory');
export const IS_A_DIRECTORY = once('is-a-directory');
export const NOT_EMPTY = once('directory-not-empty');
export const READ_ONLY = once('read-only');
export const NOT_PERMITTED = once('not-permitted');
export const NOT_SUPPORTED = once('not-supported');
/** The kernel takes it for success, here, and never asks again on this connection. */
export const NOT_NEEDED = once('not-needed');
export const INVALID = once('invalid-argument');
export const NO_ATTRIBUTE = once('no-attribute');
export const EXISTING_ATTRIBUTE = once('entry-exists');
export const CROSSES = once('cross-device');
export const TOO_LARGE = once('file-too-large');
export const PAST_THE_END = once('past-the-end');
export const STALE = once('stale');
export const NAME_TOO_LONG = once('name-too-long');
