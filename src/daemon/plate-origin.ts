/** What the plate's metadata says of the planes that results are named after. */
import type { PlateOrigin } from '../model/file-origin.ts';
import { colorOfLight } from '../model/ngff.ts';
import { parsePlaneName } from '../model/plane-name.ts';
import { planeByAddress } from '../model/plate-lookup.ts';
import { FieldImages, type Probe } from '../tree/field-images.ts';
import { PlateFiles } from '../tree/plate-files.ts';
import type { SharedMount, SharedPart } from '../tree/shared-mount.ts';

/** The part of the mount that a path lies in: the innermost. */
function partOf(mount: SharedMount, mountPath: string): SharedPart | undefined {
  return mount
    .filter(({ name }) => name === '' || mountPath.startsWith(`${name}/`))
    .toSorted((a, b) => b.name.length - a.name.length)[0];
}

/** @returns undefined for a file that is named after no plane of the mount, or one that can't be read. */
export function plateOrigin(mount: SharedMount, probe: Probe, mountPath: string): PlateOrigin | undefined {
  const address = parsePlaneName(mountPath.slice(mountPath.lastIndexOf('/') + 1))?.address;
  const part = address && partOf(mount, mountPath);
  if (!part || part.shared.index.scope !== undefined) return undefined;
  const { index } = part.shared;
  const { well, site, channel, z, t } = address;
  const plane = planeByAddress(index, well.row, well.column, site, channel, z, t);
  if (plane === undefined) return undefined;
  let width: number;
  let height: number;
  try {
    ({ width, height } = new FieldImages(part.shared, new PlateFiles(index), probe).shapeOfPlane(plane));
  } catch {
    // Whoever opens the plane is told; of a result nothing is said then but what its own tags say.
    return undefined;
  }
  const { pixelSizeUm, zSpacingUm, timeIntervalS, grid, channels } = index.facts;
  const facts = channels.find(({ number }) => number === channel);
  const channelColor = facts?.color ?? colorOfLight(facts?.emissionNm);
  return {
    width,
    height,
    ...(pixelSizeUm === undefined ? {} : { pixelSizeUm }),
    ...(zSpacingUm === undefined || z === 0 ? {} : { zSpacingUm }),
    ...(timeIntervalS === undefined ? {} : { timeIntervalS }),
    ...(grid === undefined ? {} : { grid }),
    ...(facts?.name === undefined ? {} : { channelName: facts.name }),
    ...(channelColor === undefined ? {} : { channelColor }),
  };
}
