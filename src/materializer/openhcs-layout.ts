import { parsePlaneName } from '../model/plane-name.ts';
import { wellName } from '../model/well.ts';
import type { PlaneIndex } from './array-format.ts';
import { isObject, type JsonObject } from './atomic-json.ts';
import { STORE_NAME } from './landing.ts';
import type { ResultImage } from './result-image.ts';

/**
 * How OpenHCS finds the planes of results (OpenHCS 0.4 and 0.5.15, PolyStore 0.1.x; found in their sources). A folder of
 * the mount with planes is a subdirectory of a plate. Files whose names go on behind the plane's (`…_labels.tif`) are no
 * images to OpenHCS, and left out. Pure.
 */

/** Beside the store. */
export const OPENHCS_METADATA = 'openhcs_metadata.json';

/** A plane that has a name in the layout. */
interface NamedPlane {
  readonly folder: string;
  readonly name: string;
  readonly index: PlaneIndex;
}

function planesOf({ written }: ResultImage): NamedPlane[] {
  return Object.entries(written).flatMap(([key, { file }]): NamedPlane[] => {
    const slash = file.lastIndexOf('/');
    const name = file.slice(slash + 1);
    const [t, c, z] = key.split('.').map(Number);
    const parsed = parsePlaneName(name);
    if (!parsed || !/^\.tiff?$/i.test(parsed.rest)) return [];
    if (t === undefined || c === undefined || z === undefined) return [];
    return [{ folder: slash < 0 ? '.' : file.slice(0, slash), name, index: [t, c, z] }];
  });
}

/**
 * Attributes of the array of a field: which plane each file name means, as an index per leading axis. OpenHCS up to 0.4
 * reads `openhcs_…`, PolyStore `polystore_…`; since 0.1.31 the axes are declared, and an image is one place along those
 * that the array lacks.
 */
export function openhcsArrayAttributes(image: ResultImage): object {
  const planes = planesOf(image);
  const map = Object.fromEntries(planes.map(({ name, index }) => [name, index]));
  const paths = planes.map(({ name }) => `${STORE_NAME}/${name}`);
  const isProjection = planes.some(({ name }) => parsePlaneName(name)?.address.z === 0);
  const [t, c, z] = image.shape;
  const counted = (size: number, first = 1): object => ({
    size,
    values: Array.from({ length: size }, (_, index) => String(index + first)),
    role: 'array',
  });
  const site = String(image.site ?? 1);
  return {
    openhcs_filename_map: map,
    openhcs_output_paths: paths,
    // Before 0.1.31 there was no time axis, and the first was that of fields.
    ...(t === 1 ? { openhcs_dimensions: { n_fields: 1, n_channels: c, n_z: z } } : {}),
    polystore_filename_map: map,
    polystore_output_paths: paths,
    polystore_dimensions: {
      site: { size: 1, values: [site], role: 'hcs_image' },
      t: counted(t),
      c: counted(c),
      z: counted(z, isProjection ? 0 : 1),
    },
    polystore_image_coordinate: { site },
  };
}

type Labels = Record<string, string | null>;

interface Subdirectory {
  readonly planes: NamedPlane[];
  readonly images: ResultImage[];
  readonly mapping: Record<string, object>;
}

/** Whose a subdirectory is, in its `platefs`: of results of which plate, where the store was begun with another. */
interface Owner {
  /** The folder whose planes arrays name. */
  readonly folder: string | undefined;
  readonly plate: string | undefined;
}

const isOf = (entry: unknown, plate: string | undefined): boolean =>
  isObject(entry) && isObject(entry['platefs']) && entry['platefs']['plate'] === plate;

/** The subdirectory's part of the document; what is not known of it is left out. */
function described({ planes, images }: Subdirectory): object {
  const [wells, sites, zs, ts, channels]: Labels[] = [{}, {}, {}, {}, {}];
  for (const { name } of planes) {
    const address = parsePlaneName(name)?.address;
    if (!address || !wells || !sites || !zs || !ts || !channels) continue;
    wells[wellName(address.well)] = null;
    sites[address.site] = null;
    zs[address.z] = null;
    ts[address.t] = null;
    channels[address.channel] ??= null;
  }
  for (const { channelNames } of images)
    for (const [index, name] of Object.entries(channelNames))
      if (channels && Number(index) + 1 in channels) channels[Number(index) + 1] ??= name;
  const sizes = new Set(images.map(({ facts }) => facts.pixelSizeUm?.x));
  const [pixelSize] = sizes.size === 1 ? sizes : [];
  const grid = images.find(({ facts }) => facts.grid !== undefined)?.facts.grid;
  return {
    microscope_handler_name: 'openhcsdata',
    source_filename_parser_name: 'ImageXpressFilenameParser',
    ...(grid === undefined ? {} : { grid_dimensions: [grid.rows, grid.columns] }),
    ...(pixelSize === undefined ? {} : { pixel_size: pixelSize }),
    channels,
    wells,
    sites,
    z_indexes: zs,
    timepoints: ts,
  };
}

/** The folder whose planes are named in the arrays themselves, as a document says it; undefined where none is. */
export function namedFolder(document: JsonObject | undefined): string | undefined {
  const subdirectories = document?.['subdirectories'];
  const own = isObject(subdirectories) ? subdirectories[STORE_NAME] : undefined;
  const platefs = isObject(own) ? own['platefs'] : undefined;
  const folder = isObject(platefs) ? platefs['folder'] : undefined;
  return typeof folder === 'string' ? folder : undefined;
}

/**
 * `openhcs_metadata.json`: the store itself as the main subdirectory, with the planes that its arrays name; each other
 * folder as a virtual workspace, whose names are mapped to planes of arrays (PolyStore, from 2026 on). What others wrote
 * into the document stays, and so do the results of other plates.
 */
export function openhcsDocument(
  images: readonly ResultImage[],
  { folder, plate }: Owner,
  present: JsonObject | undefined,
): object {
  const named: Subdirectory = { planes: [], images: [], mapping: {} };
  const folders = new Map<string, Subdirectory>();
  for (const image of images)
    for (const plane of planesOf(image)) {
      const isNamed = image.layout === 'openhcs';
      const known = isNamed ? named : folders.get(plane.folder);
      const subdirectory = known ?? { planes: [], images: [], mapping: {} };
      if (!isNamed) folders.set(plane.folder, subdirectory);
      subdirectory.planes.push(plane);
      if (subdirectory.images.at(-1) !== image) subdirectory.images.push(image);
      const address = { array_path: `${image.path}/0`, store_path: STORE_NAME };
      subdirectory.mapping[plane.folder === '.' ? plane.name : `${plane.folder}/${plane.name}`] = {
        backend: 'ome_zarr',
        backend_address: JSON.stringify(address),
        source_axis_indices: plane.index,
      };
    }
  const before = isObject(present?.['subdirectories']) ? present['subdirectories'] : {};
  const others = Object.fromEntries(Object.entries(before).filter(([, entry]) => !isOf(entry, plate)));
  const hasMain = Object.values(others).some((entry) => isObject(entry) && entry['main'] === true);
  const ours: Record<string, object> = {};
  const platefs = { version: 1, ...(plate === undefined ? {} : { plate }) };
  if (named.planes.length > 0)
    ours[STORE_NAME] = {
      ...described(named),
      image_files: named.planes.map(({ name }) => `${STORE_NAME}/${name}`),
      available_backends: { zarr: true },
      ...(hasMain ? {} : { main: true }),
      platefs: { ...platefs, folder },
    };
  const hasNamed = named.planes.length > 0;
  for (const [name, subdirectory] of [...folders].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (name in others) continue;
    const isMain = !hasMain && !hasNamed && Object.keys(ours).length === 0;
    ours[name] = {
      ...described(subdirectory),
      workspace_mapping: subdirectory.mapping,
      available_backends: { virtual_workspace: true },
      ...(isMain ? { main: true } : {}),
      platefs,
    };
  }
  return { ...present, subdirectories: { ...others, ...ours } };
}
