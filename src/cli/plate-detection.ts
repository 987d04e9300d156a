import { readdirSync } from 'node:fs';
import { EmptyFolderError, NotAPlateError } from '../core/errors.ts';
import { loadAll } from '../core/plugin.ts';
import type { Detection, FormatHandler } from '../formats.ts';
import { FORMATS } from '../registry.generated.ts';

/**
 * Asks every format whether this folder is its kind of plate, without indexing it.
 * @returns the surest one.
 * @throws EmptyFolderError, NotAPlateError with what each format missed, UnreadableSourceError.
 */
export async function detectPlate(
  folder: string,
  signal: AbortSignal,
  formats?: readonly FormatHandler[],
): Promise<{ readonly handler: FormatHandler; readonly detection: Detection }> {
  if (readdirSync(folder).length === 0) throw new EmptyFolderError(folder);
  const found = await Promise.all(
    (formats ?? (await loadAll(FORMATS))).map(async (handler) => ({
      handler,
      detection: await handler.detect(folder, signal),
    })),
  );
  const best =
    found.find(({ detection }) => detection.confidence === 'certain') ??
    found.find(({ detection }) => detection.confidence === 'maybe');
  if (best) return best;
  const reasons = found.map(({ handler, detection }) => `${handler.title}: ${detection.reason}`).join('; ');
  throw new NotAPlateError(folder, reasons || 'no format knows it', {
    advice: `known are ${found.map(({ handler }) => handler.title).join(', ') || 'no formats'}; name the plate's own folder`,
  });
}
