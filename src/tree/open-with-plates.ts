import { CancelledError, explain, PlateFsError } from '../core/errors.ts';
import type { RecognisedPlate } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';

/** How a source, and a plate that lies in it, is opened. */
interface Opening {
  /** `recognised` is what it is known to be. @throws a typed error when it can't be read. */
  readonly source: (recognised?: RecognisedPlate) => Promise<PlateIndex>;
  /** @throws a typed error when it can't be read, or has no images. */
  readonly plate: (name: string) => Promise<PlateIndex>;
}

interface OpenedWithPlates {
  readonly index: PlateIndex;
  /** By their names in the folder. */
  readonly plates: readonly { readonly name: string; readonly index: PlateIndex }[];
}

/**
 * Opens a source and, where it is a folder of several plates, these. One that can't be shown as a plate is shown as the
 * files it has, and a warning of the folder says why.
 * @throws as `source`.
 */
export async function openWithPlates({ source, plate }: Opening): Promise<OpenedWithPlates> {
  const index = await source();
  const { scope, rootPath, facts, descriptions = [] } = index;
  const plates: { name: string; index: PlateIndex }[] = [];
  if (scope?.kind !== 'folder') return { index, plates };
  const refused: { name: string; why: string }[] = [];
  for (const name of scope.plates) {
    try {
      plates.push({ name, index: await plate(name) });
    } catch (error) {
      if (!(error instanceof PlateFsError) || error instanceof CancelledError) throw error;
      refused.push({ name, why: explain(error) });
    }
  }
  if (refused.length === 0) return { index, plates };
  const recognised = {
    format: facts.format,
    root: rootPath,
    reason: facts.formatDetail,
    descriptions,
    scope: {
      kind: 'folder' as const,
      plates: plates.map(({ name }) => name),
      refused: [...(scope.refused ?? []), ...refused],
    },
  };
  return { index: await source(recognised), plates };
}
