import type { PlaneDetail } from '../../model/plane-details.ts';
import type { PlateWarning } from '../../model/plate.ts';
import type { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import type { HarmonyFiles } from './harmony-files.ts';
import type { HarmonyImage } from './harmony-images.ts';
import type { HarmonyIndex } from './harmony-index.ts';
import { HarmonyMeasures } from './harmony-measures.ts';
import type { HarmonyName } from './harmony-name.ts';
import { HarmonySites, type SiteNumbers } from './harmony-sites.ts';
import { type HarmonyTime, HarmonyTimes } from './harmony-time.ts';
import { WarningTally } from './warning-tally.ts';

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

/** What the metadata tells of a plane beside its address. */
const detailOf = ({ field, xUm, yUm, zUm, acquiredAtMs, elapsedS }: HarmonyImage): PlaneDetail => ({
  fieldId: field,
  xUm,
  yUm,
  zUm,
  acquiredAtMs,
  elapsedS,
});

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
  const untold = new WarningTally();
  const aside = {
    'fast-series': new WarningTally(),
    'lifetime-series': new WarningTally(),
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
    const extension = files.extension(file);
    builder.addPlane(file, row, column, siteOf(image.field), channel, plane, t, extension, detailOf(image));
    channels.add(channel);
    measures.add(image, t);
  }
  const byName = new WarningTally();
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
        : byName.tell(
            'unlisted-image',
            `image is not listed in ${index.path}`,
            `images are not listed in ${index.path}`,
            'file names say what they are',
          )),
      ...fast.tell(
        'unmapped-axis',
        'image belongs to a fast series within a slow one',
        'images belong to fast series within a slow one',
        notAxis,
      ),
      ...lifetime.tell(
        'unmapped-axis',
        'image of a lifetime series comes after its first',
        'images of lifetime series come after their first',
        notAxis,
      ),
      ...untold.tell(
        'bad-metadata',
        'image has a time point that nothing says',
        'images have time points that nothing says',
        'they are reachable under source/ only',
      ),
      ...times.warnings(index?.path ?? ''),
      ...numbers.warnings,
    ],
  };
}
