import { BadParameterError } from '../core/errors.ts';
import type { MountSource, ShownAs } from '../model/mount-definition.ts';
import { lastName } from '../model/source-url.ts';
import { checkedLayout, checkedNames } from './mount-options.ts';
import type { Complaint } from './schema-complaint.ts';
import type { ValuePath, YamlSource } from './yaml-source.ts';

/** What is said of a source beside where it lies. */
export interface ReadingForm {
  readonly names?: string;
  readonly layout?: string;
  readonly as?: ShownAs;
}

/** One of `sources:` as the schema guarantees it. */
export type SourceForm = string | ({ readonly path: string; readonly name?: string } & ReadingForm);

/** Linux, NAME_MAX. */
const MAX_NAME_BYTES = 255;

/** Why a name can't be that of a folder of a mount; undefined for one that can. */
function nameFault(name: string): string | undefined {
  if (name === '.' || name === '..' || name.includes('/') || /\p{Cc}/u.test(name))
    return `'${name}' can't be the name of a folder`;
  if (name === '.platefs') return `'.platefs' is where PlateFS tells of itself; choose another name`;
  return Buffer.byteLength(name) > MAX_NAME_BYTES
    ? `a name may have ${MAX_NAME_BYTES} bytes, not ${Buffer.byteLength(name)}`
    : undefined;
}

function parameterFault(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof BadParameterError) return error.message;
    throw error;
  }
}

/** What is wrong with what is said of a source, by its key. */
export function* readingFaults({ names, layout, as }: ReadingForm): Generator<{ key: string; text: string }> {
  const faults = {
    names: names === undefined ? undefined : parameterFault(() => checkedNames('names', names)),
    layout: layout === undefined ? undefined : parameterFault(() => checkedLayout('layout', layout)),
  };
  for (const [key, text] of Object.entries(faults)) if (text !== undefined) yield { key, text };
  if (layout !== undefined && as === 'sources')
    yield { key: 'layout', text: "'layout' reads a folder as a plate; leave it out, or  as: sources" };
}

/**
 * Reads `sources:`.
 * @param expand makes an absolute path of one that is written in the file, and leaves an URL as it is.
 * @returns the sources, and every fault with its line: names that can't be, and names that two would have.
 */
export function readSourceList(
  source: YamlSource,
  forms: readonly SourceForm[],
  expand: (path: string) => string,
): { readonly sources: readonly MountSource[]; readonly faults: readonly Complaint[] } {
  const faults: Complaint[] = [];
  const lines = new Map<string, number>();
  const sources = forms.map((form, place): MountSource => {
    const given = typeof form === 'string' ? { path: form } : form;
    const at = (...path: ValuePath): number => source.lineOf(['sources', place, ...path]);
    for (const { key, text } of readingFaults(given)) faults.push({ line: at(key), text });
    const path = expand(given.path);
    const name = given.name ?? lastName(path);
    const line = at(...(given.name !== undefined ? ['name'] : typeof form === 'string' ? [] : ['path']));
    const twin = lines.get(name);
    const fault =
      name === ''
        ? `'${given.path}' has no last name to be the folder's; give it one with  name: …`
        : nameFault(name);
    if (fault !== undefined) faults.push({ line, text: fault });
    else if (twin !== undefined)
      faults.push({
        line,
        text: `two sources would be the folder '${name}', this one and that of line ${twin}; give one another name with  name: …`,
      });
    else lines.set(name, line);
    const { names, layout, as } = given as ReadingForm;
    return {
      path,
      name,
      ...(names === undefined ? {} : { names }),
      ...(layout === undefined ? {} : { layout }),
      ...(as === undefined ? {} : { as }),
    };
  });
  return { sources, faults };
}
