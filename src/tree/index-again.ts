import type { FormatHandler, IndexOptions } from '../formats.ts';
import type { SourceScope } from '../model/indexed-source.ts';
import type { PlateDescription } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { compareDescriptions } from './described-plate.ts';
import type { DescribeSource } from './sources/describe-source.ts';

/** What is needed to index again what was indexed before. */
export interface IndexedThing {
  readonly handler: FormatHandler;
  readonly root: string;
  readonly descriptions: readonly PlateDescription[];
  readonly scope?: SourceScope;
}

export interface SourceOptions {
  /** Looks into a file or store that is no plate; on this thread unless set. */
  readonly lookInto?: DescribeSource;
}

/** Indexes a plate, or files and stores, as they are now. @throws as {@link FormatHandler.index}, and a source's own errors. */
export async function indexAgain(
  { handler, root, descriptions, scope }: IndexedThing,
  previous: PlateIndex | undefined,
  options: IndexOptions & SourceOptions & { readonly signal: AbortSignal },
): Promise<PlateIndex> {
  const { signal, followLinks = false } = options;
  // Plates never load what looks into other files.
  const sources = scope && (await import('./sources/index-sources.ts'));
  const leaveOut = scope?.kind === 'folder' ? { leaveOut: scope.plates } : {};
  const made =
    scope?.kind === 'url' && sources
      ? sources.emptyIndex(root)
      : await handler.index(root, { ...options, ...leaveOut, ...(previous ? { previous } : {}) }, signal);
  const linked = { ...made, linksFollowed: followLinks };
  return scope && sources
    ? await sources.withSources(linked, scope, previous, signal, options.lookInto)
    : await compareDescriptions(linked, descriptions, signal);
}
