import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { NotAPlateError } from '../core/errors.ts';
import { type ContainerKind, containerKind } from '../model/container-kind.ts';
import { compareNatural } from '../model/natural-order.ts';

/** Levels below the folder asked about, and folders looked into. */
const LEVELS_BELOW = 2;
const MAX_FOLDERS = 200;
/** Images and stores that some format could take for a plate. */
const OTHER_IMAGE = /\.(?:tiff?|png|zarr|n5|h5|hdf5|h5ad|ims)$/i;

interface Found {
  readonly count: number;
  readonly example: string;
}

async function entriesOf(path: string): Promise<Dirent[] | undefined> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch {
    // Nothing can be said of what can't be listed; what the handlers say of the folder stands.
    return undefined;
  }
}

/**
 * The proprietary containers in and below a folder, by kind; undefined when an image of another kind lies there
 * as well, or none of these do.
 */
async function containersIn(folder: string): Promise<Map<ContainerKind, Found> | undefined> {
  const found = new Map<ContainerKind, Found>();
  let level = [folder];
  let looked = 0;
  for (let depth = 0; depth <= LEVELS_BELOW; depth += 1) {
    const next: string[] = [];
    for (const path of level) {
      looked += 1;
      if (looked > MAX_FOLDERS) return found.size > 0 ? found : undefined;
      const entries = await entriesOf(path);
      if (!entries) return undefined;
      for (const entry of entries.sort((a, b) => compareNatural(a.name, b.name))) {
        if (entry.name.startsWith('.')) continue;
        if (OTHER_IMAGE.test(entry.name)) return undefined;
        if (entry.isDirectory()) next.push(`${path}/${entry.name}`);
        const kind = entry.isDirectory() ? undefined : containerKind(entry.name);
        if (!kind) continue;
        const { count = 0, example = entry.name } = found.get(kind) ?? {};
        found.set(kind, { count: count + 1, example });
      }
    }
    level = next;
  }
  return found.size > 0 ? found : undefined;
}

/** The error that says a folder holds nothing but proprietary containers, where it does. */
export async function containersOnly(folder: string): Promise<NotAPlateError | undefined> {
  const found = await containersIn(folder);
  if (!found) return undefined;
  const kinds = [...found].map(
    ([{ title }, { count, example }]) => `${count} ${title} ${count === 1 ? 'file' : 'files'} (${example})`,
  );
  const programs = [...new Set([...found.keys()].map(({ openWith }) => openWith))].join('; ');
  return new NotAPlateError(
    folder,
    `it holds no images but ${new Intl.ListFormat('en-GB').format(kinds)}, whose format PlateFS passes through as it is and does not decode`,
    {
      advice: `open them with ${programs}; to mount the images, export them as TIFF or convert them to OME-Zarr (bioformats2raw)`,
    },
  );
}
