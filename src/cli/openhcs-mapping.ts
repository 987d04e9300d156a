import { FsRefusal } from '../core/errors.ts';
import { type PlateIndex, WHOLE_FILE } from '../model/plate-index.ts';
import { filePath, planeName } from '../model/plate-lookup.ts';
import { wellName } from '../model/well.ts';
import { isObject, type JsonObject } from './openhcs-metadata-file.ts';

/** How a mapping's values are written: paths (OpenHCS until early 2026), or objects that name a backend (since). */
export type MappingVersion = 1 | 2;

export interface MappingDocument {
  readonly document: JsonObject;
  /** Key of the subdirectory that has the mapping. */
  readonly subdirectory: string;
  readonly version: MappingVersion;
  /** What the user should know before OpenHCS reads it. */
  readonly notes: readonly string[];
}

/** Fields of newer releases that name images by their virtual paths; they are kept, and are then out of step. */
const NAMING_FIELDS = ['source_metadata', 'source_projection', 'source_diagnostics', 'image_metadata'];
/** Rows A to Z: OpenHCS reads one letter. */
const MAX_OPENHCS_ROW = 26;

const objectOr = (value: unknown, otherwise: JsonObject = {}): JsonObject =>
  isObject(value) ? value : otherwise;

/**
 * `openhcs_metadata.json` with a `workspace_mapping` of the plate's names to its files, both below the plate's root.
 * What `base`, the document there is, says beside it is kept; its mapping, if it has one, is replaced in the version
 * and the subdirectory it has.
 * @throws FsRefusal for a plate with planes inside of containers.
 */
export function mappingDocument(
  index: PlateIndex,
  base: JsonObject | undefined,
  wanted: MappingVersion | undefined,
): MappingDocument {
  refuseContainers(index);
  const subdirectories = objectOr(base?.['subdirectories']);
  const key = keyOfMapping(subdirectories);
  const before = objectOr(subdirectories[key]);
  const version =
    wanted ?? versionOf(Object.values(subdirectories).map((one) => objectOr(one)['workspace_mapping']));
  const after = { ...before, ...fieldsOf(index, key, version, before) };
  const all = { ...subdirectories, [key]: after };
  return {
    document: { ...base, subdirectories: all },
    subdirectory: key,
    version,
    notes: notesOn(index, all, key, before),
  };
}

function refuseContainers({ planes, ...index }: PlateIndex): void {
  const inside = planes.pages.findIndex((page) => page !== WHOLE_FILE);
  if (inside < 0) return;
  const path = filePath({ planes, ...index }, planes.files[inside] ?? 0);
  throw new FsRefusal('not-supported', `${path} holds several planes, and a mapping only names whole files`, {
    advice: 'mount the plate: the mount has an openhcs_metadata.json of its own, and OpenHCS opens it',
  });
}

const hasMapping = (value: unknown): boolean =>
  Object.keys(objectOr(objectOr(value)['workspace_mapping'])).length > 0;

/** The subdirectory that has the mapping: the main one before others; the plate itself where none has. */
function keyOfMapping(subdirectories: JsonObject): string {
  const main = mainKey(subdirectories);
  if (main !== undefined && hasMapping(subdirectories[main])) return main;
  return Object.keys(subdirectories).find((key) => hasMapping(subdirectories[key])) ?? '.';
}

/** The subdirectory that OpenHCS takes for the plate. */
function mainKey(subdirectories: JsonObject): string | undefined {
  const keys = Object.keys(subdirectories);
  return (
    keys.find((key) => objectOr(subdirectories[key])['main'] === true) ??
    (keys.length > 1 && keys.includes('images') ? 'images' : keys[0])
  );
}

/** The version that the first mapping with an entry has; 1 where there is none. */
function versionOf(mappings: readonly unknown[]): MappingVersion {
  const values = mappings.flatMap((mapping) => Object.values(objectOr(mapping)).slice(0, 1));
  return isObject(values[0]) ? 2 : 1;
}

function fieldsOf(index: PlateIndex, key: string, version: MappingVersion, before: JsonObject): JsonObject {
  const { facts, planes } = index;
  const prefix = key === '.' || key === '' ? '' : `${key}/`;
  const mapping: Record<string, unknown> = {};
  const wells: Record<string, null> = {};
  const sites: Record<string, null> = {};
  const zs: Record<string, null> = {};
  const ts: Record<string, null> = {};
  const channels: Record<string, unknown> = {};
  const named = objectOr(before['channels']);
  for (let plane = 0; plane < planes.count; plane++) {
    const path = filePath(index, planes.files[plane] ?? 0);
    mapping[prefix + planeName(index, plane)] =
      version === 1 ? path : { backend: 'disk', backend_address: path, source_axis_indices: [] };
    wells[wellName({ row: planes.rows[plane] ?? 0, column: planes.columns[plane] ?? 0 })] = null;
    sites[String(planes.sites[plane])] = null;
    zs[String(planes.zs[plane])] = null;
    ts[String(planes.ts[plane])] = null;
    const channel = String(planes.channels[plane]);
    channels[channel] ??= named[channel] ?? null;
  }
  for (const { number, name } of facts.channels)
    if (name !== undefined && number in channels) channels[String(number)] = name;
  return {
    microscope_handler_name:
      before['microscope_handler_name'] ?? (facts.format === 'imagexpress' ? 'imagexpress' : 'openhcsdata'),
    source_filename_parser_name: 'ImageXpressFilenameParser',
    ...(facts.grid === undefined ? {} : { grid_dimensions: [facts.grid.rows, facts.grid.columns] }),
    ...(facts.pixelSizeUm === undefined ? {} : { pixel_size: facts.pixelSizeUm.x }),
    ...('image_files' in before ? { image_files: Object.keys(mapping) } : {}),
    channels,
    wells,
    sites,
    z_indexes: zs,
    timepoints: ts,
    available_backends: { ...objectOr(before['available_backends']), disk: true, virtual_workspace: true },
    workspace_mapping: mapping,
  };
}

function notesOn(index: PlateIndex, all: JsonObject, key: string, before: JsonObject): string[] {
  const notes: string[] = [];
  const after = objectOr(all[key]);
  for (const field of ['pixel_size', 'grid_dimensions'])
    if (!(field in after))
      notes.push(`the plate's metadata does not say ${field}; OpenHCS asks for it: add it by hand`);
  const main = mainKey(all);
  if (main !== key)
    notes.push(`OpenHCS opens the subdirectory ${main}, which is the main one, and not ${key}`);
  const stale = NAMING_FIELDS.filter((field) => field in before);
  if (stale.length > 0) notes.push(`kept as they were, and naming images as before: ${stale.join(', ')}`);
  const beyond = index.planes.rows.filter((row) => row >= MAX_OPENHCS_ROW).length;
  if (beyond > 0) notes.push(`${beyond} planes lie in rows beyond Z, whose names OpenHCS can't read`);
  return notes;
}
