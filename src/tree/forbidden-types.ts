import { type Dtype, itemSizeBytes } from '../core/nd-array.ts';
import { loadById } from '../core/plugin.ts';
import { type ImageEncoder, shownDtype } from '../encoders.ts';
import type { PlateWarning } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { ENCODERS } from '../registry.generated.ts';
import { isWholeFile } from './plane-access.ts';
import type { IsShown } from './tables/image-sets.ts';

/** Numbers as large are what some readers of TIFFs don't open; every encoder of them has smaller ones. */
const LARGE_ITEM_BYTES = 8;

/** Shapes of the index, by their numbers in its planes, that an encoder refuses for their type. */
export function refusedShapes(
  { shapes }: PlateIndex,
  encoder: ImageEncoder | undefined,
  float64As: 'float32' | undefined,
): ReadonlySet<number> {
  const refused = new Set<number>();
  for (const [place, { dtype }] of shapes.entries())
    if (encoder && itemSizeBytes(dtype) >= LARGE_ITEM_BYTES && !shownDtype(encoder, dtype, float64As))
      refused.add(place + 1);
  return refused;
}

/** Whether images/ has a file of a plane, where `encoder` lays out those cut out of containers; undefined where it has one of each. */
export function shownInImages(
  index: PlateIndex,
  encoder: ImageEncoder | undefined,
  float64As: 'float32' | undefined,
): IsShown | undefined {
  const refused = refusedShapes(index, encoder, float64As);
  if (refused.size === 0) return undefined;
  return (plane) => isWholeFile(index, plane) || !refused.has(index.planes.shapes[plane] ?? 0);
}

const advice = (dtype: Dtype): string =>
  dtype === 'float64'
    ? 'mount with -o float64=float32 to have them rounded, or open plate.ome.zarr'
    : 'open plate.ome.zarr';

const KIND = 'not-shown';

/**
 * The index with a warning for every type, among those it tells of its planes, of which there are files that can't be
 * made; in place of such warnings that it has, which may be of a mount with other options.
 */
export async function warnOfTypes(index: PlateIndex, float64As: 'float32' | undefined): Promise<PlateIndex> {
  const large = new Set(
    index.shapes.map(({ dtype }) => dtype).filter((dtype) => itemSizeBytes(dtype) >= LARGE_ITEM_BYTES),
  );
  if (large.size === 0) return index;
  const others = index.warnings.filter(({ kind }) => kind !== KIND);
  const encoders = await Promise.all(['tiff', 'ome-tiff'].map((id) => loadById(ENCODERS, id)));
  const hasCutPlanes = index.planes.count > 0 && !isWholeFile(index, 0);
  const warnings = [...large].flatMap((dtype): PlateWarning[] => {
    const lacking = encoders.flatMap((encoder) =>
      encoder?.takes === 'image' && !shownDtype(encoder, dtype, float64As) ? [encoder.extension] : [],
    );
    if (lacking.length === 0) return [];
    const where = hasCutPlanes ? 'images/ and stacks/' : 'stacks/';
    const message = `pixels are ${dtype}, which programs don't open in a TIFF: ${where} lack ${lacking.join(' and ')} of them; ${advice(dtype)}`;
    return [{ kind: KIND, message, files: [] }];
  });
  return { ...index, warnings: [...others, ...warnings] };
}
