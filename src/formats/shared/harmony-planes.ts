import type { PlaneDetail } from '../../model/plane-details.ts';
import type { PlateWarning } from '../../model/plate.ts';
import type { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import { ExampleTally } from './example-tally.ts';
import type { HarmonyFiles } from './harmony-files.ts';
import type { HarmonyImage } from './harmony-images.ts';
import type { HarmonyIndex } from './harmony-index.ts';
import { HarmonyMeasures } from './harmony-measures.ts';
import type { HarmonyName } from './harmony-name.ts';
import { HarmonySites, type SiteNumbers } from './harmony-sites.ts';
import { type HarmonyTime, HarmonyTimes } from './harmony-time.ts';
import { tiffExtension } from './metaxpress-name.ts';

interface UnlistedImage {
  readonly file: number;
  readonly path: string;
  readonly name: HarmonyName;
}

export interface PlacedPlanes {
  readonly sites: SiteNumbers;
  /** Channels that have planes. */
  readonly channels: ReadonlySet<number>;
  readonly measures: HarmonyMeasures;
  readonly warnings: readonly PlateWarning[];
}

/** What the metadata tells of a plane beside its address; what it doesn't say is absent. */
function detailOf({ field, xUm, yUm, zUm, acquiredAtMs, elapsedS }: HarmonyImage): PlaneDetail {
  return {
    fieldId: field,
    ...(Number.isNaN(xUm) ? {} : { xUm }),
    ...(Number.isNaN(yUm) ? {} : { yUm }),
    ...(Number.isNaN(zUm) ? {} : { zUm }),
    ...(Number.isNaN(acquiredAtMs) ? {} : { acquiredAtMs }),
    ...(Number.isNaN(elapsedS) ? {} : { elapsedS }),
  };
}

/** Gives every image its address: by the Index, and by its name where no Index (or not this one) has it. */
export function placePlanes(
  builder: PlateIndexBuilder,
  files: HarmonyFiles,
  index: HarmonyIndex | undefined,
): PlacedPlanes {
  const sites = new HarmonySites();
  const times = new HarmonyTimes();
  const listed = new Set<number>();
  for (const image of index?.images.all() ?? []) {
    if (image.agrees) sites.add(image);
    times.add(image);
    if (image.file >= 0) listed.add(image.file);
  }
  // Whether an image of two minds is of this field is itself in doubt: it is asked only where no other is.
  for (const image of index?.images.all() ?? [])
    if (image.agrees) sites.confirm(image);
    else sites.add(sites.isPlaced(image.field) ? { ...image, xUm: Number.NaN } : image);
  const unlisted: UnlistedImage[] = [];
  for (const image of files.unlisted((file) => listed.has(file))) {
    unlisted.push(image);
    times.addNamed(image.name);
    sites.add({ field: image.name.field, xUm: Number.NaN, yUm: Number.NaN });
  }
  const numbers = sites.number(index?.path ?? '');
  const siteOf = (field: number): number => numbers.siteOf.get(field) ?? field;
  const measures = new HarmonyMeasures();
  const channels = new Set<number>();
  const untold = new ExampleTally();
  const aside = {
    'fast-series': new ExampleTally(),
    'lifetime-series': new ExampleTally(),
    impossible: untold,
  };
  const placed = (file: number, t: HarmonyTime): t is number => {
    if (typeof t === 'number') return true;
    aside[t].add(builder.path(file));
    return false;
  };
  for (const image of index?.images.all() ?? []) {
    const t = times.of(image);
    if (image.file < 0 || !placed(image.file, t)) continue;
    const { file, row, column, channel, plane } = image;
    const extension = tiffExtension(builder.path(file));
    builder.addPlane(file, row, column, siteOf(image.field), channel, plane, t, extension, detailOf(image));
    channels.add(channel);
    measures.add(image, t);
  }
  const byName = new ExampleTally();
  for (const { file, path, name } of unlisted) {
    const t = times.ofNamed(name);
    if (!placed(file, t)) continue;
    const { row, column, field, channel, plane, extension } = name;
    builder.addPlane(file, row, column, siteOf(field), channel, plane, t, extension, { fieldId: field });
    channels.add(channel);
    byName.add(path);
  }
  const { 'fast-series': fast, 'lifetime-series': lifetime } = aside;
  const notAxis = 'names have no such axis: they are reachable under source/ only';
  return {
    sites: numbers,
    channels,
    measures,
    warnings: [
      ...(index === undefined
        ? []
        : byName.warnings(
            'unlisted-image',
            'image',
            `that ${index.path} does not list`,
            'file names say what they are',
          )),
      ...fast.warnings('unmapped-axis', 'image', 'of fast series within a slow one', notAxis),
      ...lifetime.warnings('unmapped-axis', 'image', 'of a lifetime series after its first', notAxis),
      ...untold.warnings(
        'bad-metadata',
        'image',
        'whose time point nothing says',
        'they are reachable under source/ only',
      ),
      ...times.warnings(index?.path ?? ''),
      ...numbers.warnings,
    ],
  };
}
