/** Looking at everything that a mount is to show, part by part. */
import { join } from 'node:path';
import type { DaemonSpec } from '../config/daemon-spec.ts';
import { shownFor } from '../model/indexed-source.ts';
import type { ShownAs } from '../model/mount-definition.ts';
import type { RecognisedPlate } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { profileRules } from '../model/profile.ts';
import { isUrl } from '../model/source-url.ts';
import { indexFolder } from '../tree/index-cache.ts';
import { openPlate } from '../tree/open-plate.ts';
import { openWithPlates } from '../tree/open-with-plates.ts';
import { listIndex } from '../tree/sources/index-sources.ts';
import { CatalogThread } from './catalog-thread.ts';
import { logEvent } from './log.ts';

const PROGRESS_EVERY_MS = 250;

/** What is to be a part of the mount. */
interface WantedPart {
  /** As {@link SharedPart.name}. */
  readonly name: string;
  /** A path or an URL. */
  readonly source: string;
  readonly layout?: string | undefined;
  readonly as?: ShownAs | undefined;
  /** How its planes are named. */
  readonly names?: string | undefined;
}

/** What is to be indexed. */
interface WantedIndex extends Pick<WantedPart, 'name' | 'source' | 'layout' | 'as'> {
  readonly recognised?: RecognisedPlate | undefined;
}

/** A part of the mount as it is on disk. */
export interface FoundPart {
  readonly name: string;
  readonly names: string | undefined;
  readonly index: PlateIndex;
}

export interface OpenOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

/**
 * Everything that is to be mounted, the root first. @throws a typed error when a source can't be read.
 */
export async function openAll(spec: DaemonSpec, options: OpenOptions): Promise<FoundPart[]> {
  const { source, sources, names, layout, as } = spec.definition;
  const commonNames = names ?? profileRules(spec.definition.options.profile).names;
  if (!sources) return await openWanted(spec, { name: '', source, names: commonNames, layout, as }, options);
  const found: FoundPart[] = [{ name: '', names: undefined, index: listIndex(source) }];
  for (const one of sources) {
    const wanted = { ...one, source: one.path, names: one.names ?? commonNames };
    found.push(...(await openWanted(spec, wanted, options)));
  }
  return found;
}

/** A part, and the plates in it where it is a folder of several. */
async function openWanted(spec: DaemonSpec, wanted: WantedPart, options: OpenOptions): Promise<FoundPart[]> {
  const { name, names, source } = wanted;
  const known = spec.recognised && Object.hasOwn(spec.recognised, name) ? spec.recognised[name] : undefined;
  const { index, plates } = await openWithPlates({
    source: async (recognised = known) => await openIndex(spec, { ...wanted, recognised }, options),
    plate: async (plate) =>
      await openIndex(spec, { name: join(name, plate), source: join(source, plate) }, options),
  });
  return [
    { name, names, index },
    ...plates.map((plate) => ({ name: join(name, plate.name), names, index: plate.index })),
  ];
}

async function openIndex(
  { definition, cacheFolder }: DaemonSpec,
  { name, source, layout, as, recognised }: WantedIndex,
  options: OpenOptions,
): Promise<PlateIndex> {
  let toldMs = 0;
  await using catalogs = new CatalogThread();
  const { index } = await openPlate(source, {
    signal: options.signal,
    ...(layout === undefined ? {} : { layout }),
    ...(as === undefined ? {} : { as }),
    ...(recognised ? { recognised } : {}),
    mountpoint: definition.mountpoint,
    followLinks: definition.options.followLinks ?? false,
    cacheDir: indexFolder(cacheFolder),
    sourceOptions: shownFor(definition.options),
    log: logEvent,
    // What reads from servers has a thread of its own already.
    ...(isUrl(source) ? {} : { lookInto: catalogs.describe.bind(catalogs) }),
    onProgress: ({ files }) => {
      if (Date.now() - toldMs < PROGRESS_EVERY_MS) return;
      toldMs = Date.now();
      options.onProgress(`indexing${name === '' ? '' : ` ${name}`}: ${files} files`);
    },
  });
  return index;
}
