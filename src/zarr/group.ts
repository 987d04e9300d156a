import { BadZarrError } from '../core/errors.ts';
import { asObject, type JsonObject } from '../core/json-text.ts';
import { type JsonDocument, readJsonObjectIfPresent } from './json.ts';

/** A metadata file that was read. */
export interface ReadFile {
  /** Name in the node's folder. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/** A group's own metadata. Consolidated copies of it are not looked at: the nodes themselves are what counts. */
export interface ZarrGroup {
  readonly zarrFormat: 2 | 3;
  readonly attributes: JsonObject;
  readonly files: readonly ReadFile[];
}

const fileOf = (name: string, { sizeBytes, mtimeMs }: JsonDocument): ReadFile => ({
  name,
  sizeBytes,
  mtimeMs,
});

/**
 * The group in a folder: Zarr v3 `zarr.json`, or Zarr v2 `.zgroup` and `.zattrs`, of which early writers left out
 * either. Undefined when the folder is none, or is an array.
 * @throws BadZarrError, UnreadableSourceError naming the file.
 */
export function readGroup(folder: string): ZarrGroup | undefined {
  const v3 = readJsonObjectIfPresent(`${folder}/zarr.json`);
  if (v3 && v3.value['zarr_format'] === 3) {
    if (v3.value['node_type'] !== 'group') return undefined;
    const attributes = v3.value['attributes'] ?? {};
    const object = asObject(attributes);
    if (!object) throw new BadZarrError(`${folder}/zarr.json`, 'the attributes are no object');
    return { zarrFormat: 3, attributes: object, files: [fileOf('zarr.json', v3)] };
  }
  const group = readJsonObjectIfPresent(`${folder}/.zgroup`);
  const attributes = readJsonObjectIfPresent(`${folder}/.zattrs`);
  if (!group && (!attributes || readJsonObjectIfPresent(`${folder}/.zarray`))) return undefined;
  return {
    zarrFormat: 2,
    attributes: attributes?.value ?? {},
    files: [
      ...(group ? [fileOf('.zgroup', group)] : []),
      ...(attributes ? [fileOf('.zattrs', attributes)] : []),
    ],
  };
}
