import { BadParameterError } from '../core/errors.ts';

/** Whether a source is named by an URL that some driver may take, not by a path. */
export const isUrl = (source: string): boolean => /^(?:https?|s3):\/\//i.test(source);

/** A folder that is written to. @throws BadParameterError for an URL, which would be taken for a folder of that name. */
export function localFolder(key: string, value: string): string {
  if (!isUrl(value)) return value;
  throw new BadParameterError(key, `${value} is on a server; name a folder of this machine`);
}

/** The last name of a path or of an URL's path, as a file name; '' where there is none. */
export function lastName(source: string): string {
  const bare = isUrl(source) ? source.replace(/^[a-z0-9]+:\/\//i, '').replace(/[?#].*$/s, '') : source;
  const name = bare.replace(/\/+$/, '').split('/').at(-1) ?? '';
  if (!isUrl(source)) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    // A stray % of somebody's own: the name as it is spelt.
    return name;
  }
}
