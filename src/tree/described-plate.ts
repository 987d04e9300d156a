import { loadById } from '../core/plugin.ts';
import type { PlateDescription } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { FORMATS } from '../registry.generated.ts';

/**
 * The index with the warnings of every format that describes the plate and gave way to its own: what the
 * description says otherwise. The index remembers the descriptions, for when it is made again.
 * @throws CancelledError
 */
export async function compareDescriptions(
  index: PlateIndex,
  descriptions: readonly PlateDescription[],
  signal: AbortSignal,
): Promise<PlateIndex> {
  if (descriptions.length === 0) return index;
  let compared: PlateIndex = { ...index, descriptions };
  for (const { format, root } of descriptions) {
    const handler = await loadById(FORMATS, format);
    compared = (await handler?.compare?.(root, compared, signal)) ?? compared;
  }
  return compared;
}
