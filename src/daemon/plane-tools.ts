import { loadAll } from '../core/plugin.ts';
import { type ImageEncoder, imageEncoders } from '../encoders.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { ENCODERS, SOURCES } from '../registry.generated.ts';
import type { Probe } from '../tree/field-images.ts';
import { PLATE_ENCODERS } from '../tree/plate-tree.ts';
import type { PlaneDriver } from '../tree/stack-reader.ts';

/** What front and reader threads need of the plugs. */
export interface PlaneTools {
  readonly encoders: readonly ImageEncoder[];
  readonly probe: Probe;
  readonly driver: PlaneDriver;
}

/** Whether every plane is a file of its own that is named like a TIFF: then no other driver is ever asked. */
const isOfTiffs = ({ planes, extensions }: PlateIndex): boolean =>
  planes.pages.length === 0 && extensions.every((extension) => /^\.tiff?$/i.test(extension));

function noPlane(): never {
  throw new Error('there is no plate');
}

const NO_PLATES: PlaneTools = {
  encoders: [],
  probe: noPlane,
  driver: { probe: noPlane, read: noPlane, files: noPlane, open: noPlane },
};

/**
 * Loads the encoders and the drivers of the plates' plane files. Every thread has them, so that a driver that the
 * plate doesn't need would cost its memory several times.
 */
export async function loadPlaneTools(indexes: readonly PlateIndex[]): Promise<PlaneTools> {
  const plates = indexes.filter(({ scope }) => scope === undefined);
  if (plates.length === 0) return NO_PLATES;
  const drivers = await loadAll(
    plates.every(isOfTiffs) ? SOURCES.filter(({ id }) => id === 'tiff') : SOURCES,
  );
  const synchronous = drivers.flatMap(
    ({ id, canOpen, probeSync, readPlaneSync, openPlaneSync, planeFilesSync }) =>
      probeSync && readPlaneSync
        ? [{ id, canOpen, probeSync, readPlaneSync, openPlaneSync, planeFilesSync }]
        : [],
  );
  const tiff = synchronous.find(({ id }) => id === 'tiff');
  if (!tiff) throw new Error('the tiff driver has no synchronous side');
  // A plane's file was recognised by its format: one of a name that nobody claims is a TIFF.
  const driverOf = (path: string) => synchronous.find(({ canOpen }) => canOpen(path)) ?? tiff;
  const probe: Probe = ({ path, page }) => driverOf(path).probeSync(path, page);
  return {
    encoders: imageEncoders(await loadAll(ENCODERS.filter(({ id }) => PLATE_ENCODERS.has(id)))),
    probe,
    driver: {
      probe,
      read: ({ path, page }) => driverOf(path).readPlaneSync(path, page),
      files: ({ path, page }) => driverOf(path).planeFilesSync?.(path, page) ?? [path],
      open: ({ path, page }) => driverOf(path).openPlaneSync?.(path, page),
    },
  };
}
