import type { FormatHandler, IndexOptions } from '../formats.ts';
import type { SourceOptions, SourceScope } from '../model/indexed-source.ts';
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

/** Indexes a plate, or files and stores, as they are now. @throws as {@link FormatHandler.index}, and a source's own errors. */
export async function indexAgain(
  { handler, root, descriptions, scope }: IndexedThing,
  previous: PlateIndex | undefined,
  options: IndexOptions & {
    readonly signal: AbortSignal;
    readonly sourceOptions?: SourceOptions;
    /** Looks into a file or store that is no plate; on this thread unless set. */
    readonly lookInto?: DescribeSource;
  },
): Promise<PlateIndex> {
  const { signal, followLinks = false, sourceOptions = {} } = options;
  // Plates never load what looks into other files.
  const sources = scope && (await import('./sources/index-sources.ts'));
  const leaveOut = scope?.kind === 'folder' ? { leaveOut: scope.plates } : {};
  const made =
    scope?.kind === 'url' && sources
      ? sources.emptyIndex(root, 'remote store')
      : await handler.index(root, { ...options, ...leaveOut, ...(previous ? { previous } : {}) }, signal);
  const linked = { ...made, linksFollowed: followLinks };
  return scope && sources
    ? await sources.withSources(linked, scope, previous, sourceOptions, signal, options.lookInto)
    : await compareDescriptions(linked, descriptions, signal);
}
