import { statSync } from 'node:fs';
import { PlateFsError } from '../../core/errors.ts';
import type { Dtype } from '../../core/nd-array.ts';
import type { ImageInfo } from '../../model/image.ts';
import { type BdvSetup, readBdvSetups } from './hdf5-bdv-xml.ts';
import { type Hdf5Family, type ImagePlans, shrinkingLevels } from './hdf5-family.ts';
import type { Hdf5Hierarchy } from './hdf5-hierarchy.ts';
import { fiveOf, type ImagePlan } from './hdf5-image.ts';

const TIME = /^t(\d{5,})$/;
const SETUP = /^s(\d{2,})$/;
/** Groups of one file that are looked into. */
const MAX_NAMES = 1_000_000;

const namesOf = (hierarchy: Hdf5Hierarchy, path: string): string[] =>
  hierarchy.kindOf(path) === 'group'
    ? hierarchy.children(path, MAX_NAMES).children.map(({ name }) => name)
    : [];

/** The dtype that a file's 16-bit numbers mean: BigDataViewer stores unsigned ones as signed. */
const meant = (dtype: Dtype): Dtype => (dtype === 'int16' ? 'uint16' : dtype);

/**
 * BigDataViewer's HDF5 (imagej.net/plugins/bdv, "About the BigDataViewer data format"): `tNNNNN/sNN/L/cells`, z y x,
 * one dataset per time point, setup and level, `sNN/resolutions` beside. A setup is an image; its times are those any
 * setup has. Undefined for other files.
 */
export function bdvFamily(hierarchy: Hdf5Hierarchy): Hdf5Family | undefined {
  const names = namesOf(hierarchy, '');
  const times = names
    .filter((name) => TIME.test(name))
    .sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
  const setups = names.filter(
    (name) => SETUP.test(name) && hierarchy.kindOf(`${name}/resolutions`) === 'array',
  );
  if (times.length === 0 || setups.length === 0) return undefined;
  const recorded = times.map((time) => new Set(namesOf(hierarchy, time)));
  const warnings: { path: string; message: string }[] = [];
  const images: ImagePlans[] = [];
  for (const setup of setups) {
    const first = times.find((_, index) => recorded[index]?.has(setup));
    if (first === undefined) {
      warnings.push({ path: setup, message: 'no time point holds this setup' });
      continue;
    }
    const missing = times.filter((_, index) => !recorded[index]?.has(setup));
    if (missing.length > 0)
      warnings.push({
        path: setup,
        message: `${missing.length} of ${times.length} time points are missing and shown as zeros: ${missing.slice(0, 5).join(', ')}`,
      });
    const plans = levelsOf(hierarchy, setup, first, times, recorded, warnings);
    if (plans !== undefined) images.push(plans);
  }
  if (images.length === 0) return undefined;
  return {
    title: 'BigDataViewer HDF5',
    images,
    isShown: (path) => /^t\d{5,}\/s\d{2,}\/\d+\/cells$/.test(path),
    ...descriptions(hierarchy.file, warnings),
  };
}

function levelsOf(
  hierarchy: Hdf5Hierarchy,
  setup: string,
  first: string,
  times: readonly string[],
  recorded: readonly ReadonlySet<string>[],
  warnings: { path: string; message: string }[],
): ImagePlans | undefined {
  const levels = namesOf(hierarchy, `${first}/${setup}`)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
  const plans: ImagePlan[] = [];
  for (const level of levels) {
    const path = `${first}/${setup}/${level}/cells`;
    if (hierarchy.kindOf(path) !== 'array') continue;
    const { shape, type, chunkShape, unreadable } = hierarchy.dataset(path);
    if (shape.length !== 3 || shape.includes(0) || type.kind !== 'number' || unreadable !== undefined) {
      warnings.push({ path, message: unreadable ?? `[${shape}] is no image of three axes` });
      continue;
    }
    plans.push({
      path: level === 0 ? setup : `${setup}/${level}`,
      shape: fiveOf([times.length, ...shape], 'tzyx'),
      chunkShape: fiveOf(chunkShape, 'zyx'),
      dtype: meant(type.dtype),
      axes: 'zyx',
      choosesDataset: true,
      isPadded: false,
      datasetAt: (t) => (recorded[t]?.has(setup) ? `${times[t]}/${setup}/${level}/cells` : undefined),
    });
  }
  const [largest, ...others] = plans;
  if (largest === undefined || largest.path !== setup) return undefined;
  const { kept, left } = shrinkingLevels([largest, ...others]);
  for (const path of left) warnings.push({ path, message: 'is no smaller level of its image' });
  return kept;
}

/** Names and voxel sizes from the XML of the same name, where there is one. */
function descriptions(
  file: string,
  warnings: { path: string; message: string }[],
): Pick<Hdf5Family, 'describe' | 'warnings' | 'files'> {
  const xml = file.replace(/\.[^./]*$/, '.xml');
  let setups: ReadonlyMap<number, BdvSetup> = new Map();
  const isThere = statSync(xml, { throwIfNoEntry: false })?.isFile() === true;
  if (isThere)
    try {
      setups = new Map(readBdvSetups(xml).map((setup) => [setup.id, setup]));
    } catch (error) {
      if (!(error instanceof PlateFsError)) throw error;
      warnings.push({ path: '', message: `names and voxel sizes are not known: ${error.message}` });
    }
  else warnings.push({ path: '', message: `names and voxel sizes are not known: there is no ${xml}` });
  return {
    warnings,
    files: isThere ? [xml] : [],
    describe: ([{ path }]) => infoOf(path, setups.get(Number(path.slice(1)))),
  };
}

function infoOf(path: string, setup: BdvSetup | undefined): Omit<ImageInfo, 'shape' | 'dtype'> {
  const size = setup?.voxelSizeUm;
  return {
    name: setup?.name ?? path,
    ...(size === undefined ? {} : { pixelSizeUm: { x: size.x, y: size.y }, zSpacingUm: size.z }),
    channels: setup?.channel === undefined ? [] : [{ name: setup.channel }],
  };
}
