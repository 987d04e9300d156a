import type { FormatHandler, IndexOptions } from '../formats.ts';
import type { SourceOptions, SourceScope } from '../model/indexed-source.ts';
import type { PlateDescription } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { compareDescriptions } from './described-plate.ts';
import { warnOfTypes } from './forbidden-types.ts';
import { emptyIndex, withSources } from './sources/index-sources.ts';

/** What is needed to index again what was indexed before. */
export interface IndexedThing {
  readonly handler: FormatHandler;
  readonly root: string;
  readonly descriptions: readonly PlateDescription[];
  readonly scope?: SourceScope;
}

/** Indexes a plate, or files and stores, as they are now. @throws as {@link FormatHandler.index}, and a source's own errors. */
export async function indexAgain(
  { handler, root, descriptions, scope }: IndexedThing,
  previous: PlateIndex | undefined,
  options: IndexOptions & { readonly signal: AbortSignal; readonly sourceOptions?: SourceOptions },
): Promise<PlateIndex> {
  const { signal, followLinks = false, sourceOptions = {} } = options;
  const leaveOut = scope?.kind === 'folder' ? { leaveOut: scope.plates } : {};
  const made =
    scope?.kind === 'url'
      ? emptyIndex(root)
      : await handler.index(root, { ...options, ...leaveOut, ...(previous ? { previous } : {}) }, signal);
  const linked = { ...made, linksFollowed: followLinks };
  return scope
    ? await withSources(linked, scope, previous, sourceOptions, signal)
    : await compareDescriptions(await warnOfTypes(linked), descriptions, signal);
}
