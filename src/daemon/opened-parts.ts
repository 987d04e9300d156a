/** Looking at everything that a mount is to show, part by part. */
import { join } from 'node:path';
import type { DaemonSpec } from '../config/daemon-spec.ts';
import { shownFor } from '../model/indexed-source.ts';
import type { ShownAs } from '../model/mount-definition.ts';
import type { PlateWarning, RecognisedPlate } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { profileRules } from '../model/profile.ts';
import { isUrl } from '../model/source-url.ts';
import { indexFolder } from '../tree/index-cache.ts';
import { openPlate } from '../tree/open-plate.ts';
import { listIndex } from '../tree/sources/index-sources.ts';
import { unshownPlate } from '../tree/sources/unshown-plate.ts';
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
  if (!sources)
    return await openWithPlates(spec, { name: '', source, names: commonNames, layout, as }, options);
  const found: FoundPart[] = [{ name: '', names: undefined, index: listIndex(source) }];
  for (const one of sources) {
    const wanted = { ...one, source: one.path, names: one.names ?? commonNames };
    found.push(...(await openWithPlates(spec, wanted, options)));
  }
  return found;
}

/** A part, and the plates in it where it is a folder of several. One that can't be shown is an ordinary folder of it. */
async function openWithPlates(
  spec: DaemonSpec,
  wanted: WantedPart,
  options: OpenOptions,
): Promise<FoundPart[]> {
  const { name, names } = wanted;
  const index = await openIndex(spec, wanted, options);
  const { scope, rootPath } = index;
  if (scope?.kind !== 'folder') return [{ name, names, index }];
  const plates: FoundPart[] = [];
  const warnings: PlateWarning[] = [];
  for (const plate of scope.plates) {
    const part = { name: join(name, plate), source: `${rootPath}/${plate}`, names };
    try {
      plates.push({ name: part.name, names, index: await openIndex(spec, part, options) });
    } catch (error) {
      warnings.push(unshownPlate(plate, error));
    }
  }
  if (warnings.length === 0) return [{ name, names, index }, ...plates];
  const isPlate = (plate: string): boolean => plates.some((part) => part.name === join(name, plate));
  const recognised: RecognisedPlate = {
    format: index.facts.format,
    root: rootPath,
    reason: index.facts.formatDetail,
    descriptions: [],
    scope: { kind: 'folder', plates: scope.plates.filter(isPlate) },
  };
  const others = await openIndex(spec, wanted, options, recognised);
  return [{ name, names, index: { ...others, warnings: [...others.warnings, ...warnings] } }, ...plates];
}

async function openIndex(
  { definition, recognised, cacheFolder }: DaemonSpec,
  { name, source, layout, as }: WantedPart,
  options: OpenOptions,
  /** What it is taken for, whatever was found before. */
  taken?: RecognisedPlate,
): Promise<PlateIndex> {
  const known = taken ?? (recognised && Object.hasOwn(recognised, name) ? recognised[name] : undefined);
  let toldMs = 0;
  await using catalogs = new CatalogThread();
  const { index } = await openPlate(source, {
    signal: options.signal,
    ...(layout === undefined ? {} : { layout }),
    ...(as === undefined ? {} : { as }),
    ...(known ? { recognised: known } : {}),
    mountpoint: definition.mountpoint,
    followLinks: definition.options.followLinks ?? false,
    cacheDir: taken ? null : indexFolder(cacheFolder),
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
