import { parseWellName } from '../../model/well.ts';
import { tiffExtension } from './metaxpress-name.ts';
import type { PlaceOfPlane } from './plane-place.ts';

/**
 * `<project>_t<T>_<well>_s<site>_w<wave>_z<z>.tif`, all counting from 0, as found in files of MetaXpress Acquire
 * 2025.2. The project is free text that may look like tokens itself, so the name is read from its end. Projections
 * end their project with `_projection`.
 */
const NAME = /^(.*?)_t(\d{1,8})_([A-Z]{1,2}\d{1,2})_s(\d{1,8})_w(\d{1,4})_z(\d{1,8})$/i;
const PROJECTION = '_projection';

/** Whether a file is the instrument's projection of a stack, by its name. */
export function isHcsAiProjection(fileName: string): boolean {
  return /_projection_t\d+_[A-Z]{1,2}\d{1,2}_s\d+_w\d+_z\d+\.tiff?$/i.test(fileName);
}

/** What an image's name says, numbers counted from 1 and projections at z 0; undefined for any other name. */
export function parseHcsAiName(fileName: string): PlaceOfPlane | undefined {
  const extension = tiffExtension(fileName);
  if (extension === '') return undefined;
  const match = NAME.exec(fileName.slice(0, -extension.length));
  const well = parseWellName(match?.[3] ?? '');
  if (!match || !well) return undefined;
  const [, project = '', t, , site, wave, z] = match;
  return {
    ...well,
    site: Number(site) + 1,
    channel: Number(wave) + 1,
    z: project.toLowerCase().endsWith(PROJECTION) ? 0 : Number(z) + 1,
    t: Number(t) + 1,
  };
}

/** Numbered manifests: large acquisitions split theirs over several files. */
export const isHcsAiManifest = (fileName: string): boolean => /^image_metadata_\d+\.csv$/i.test(fileName);

/** Folders of images, one per time point from 0. */
export const isHcsAiTimeFolder = (name: string): boolean => /^timepoint\d+$/i.test(name);
