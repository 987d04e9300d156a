import { PlateFsError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json-text.ts';
import type { PlaneDetail } from '../../model/plane-details.ts';
import { WHOLE_FILE } from '../../model/plate-index.ts';
import type { ArrayMetadata } from '../../zarr/array-metadata.ts';
import { asString, parseJsonObject } from '../../zarr/json.ts';
import type { OpenHcsReference } from './openhcs-file.ts';
import type { OpenHcsFiles } from './openhcs-files.ts';
import { pathInPlate } from './openhcs-path.ts';
import { joinPath } from './plate-path.ts';

export type ReferenceFound =
  | { readonly kind: 'plane'; readonly file: number; readonly detail: PlaneDetail }
  | { readonly kind: 'unsafe' | 'absent' | 'faulty' | 'unsupported'; readonly detail: string };

/** Place in C order of leading indices; undefined for one that the array has not. */
export function pageAt(shape: readonly number[], indices: readonly number[]): number | undefined {
  if (indices.length !== shape.length - 2) return undefined;
  let page = 0;
  for (const [axis, index] of indices.entries()) {
    const extent = shape[axis] ?? 0;
    if (!Number.isSafeInteger(index) || index < 0 || index >= extent) return undefined;
    page = page * extent + index;
  }
  return page < WHOLE_FILE ? page : undefined;
}

/** Why the planes of an array can't be shown as images, or undefined. */
export function whyNoImages({ shape, element }: ArrayMetadata): string | undefined {
  if (shape.length < 2 || shape.includes(0)) return `an array of [${shape}] holds no image`;
  if (element.lanes !== 1) return 'its numbers are of several parts, of which there are no images';
  return undefined;
}

/** What says how large a plane of an array is. */
export function planeDetail({ shape, element }: ArrayMetadata, page: number): PlaneDetail {
  return {
    page,
    shape: { width: shape.at(-1) ?? 0, height: shape.at(-2) ?? 0, dtype: element.dtype },
  };
}

/**
 * The plane that a structured reference to a container means. Of `ome_zarr` the address is a JSON text with
 * `store_path` and `array_path`, and the axis indices select leading axes of that array.
 */
export function pageOfReference(
  files: OpenHcsFiles,
  root: string,
  { backend, address, axisIndices }: OpenHcsReference,
): ReferenceFound {
  if (backend !== 'ome_zarr')
    return {
      kind: 'unsupported',
      detail: backend === 'disk' ? 'a page of a file' : `backend ${JSON.stringify(backend.slice(0, 40))}`,
    };
  let parts: JsonObject;
  try {
    parts = parseJsonObject(Buffer.from(address), 'backend_address');
  } catch (error) {
    if (error instanceof PlateFsError) return { kind: 'faulty', detail: error.message };
    throw error;
  }
  const store = asString(parts['store_path']);
  const array = asString(parts['array_path']);
  if (store === undefined || array === undefined)
    return { kind: 'faulty', detail: 'an address without store_path or array_path' };
  const storePath = store === '.' ? '' : pathInPlate(store, root);
  const arrayPath = pathInPlate(array, '');
  if (storePath === undefined || arrayPath === undefined)
    return { kind: 'unsafe', detail: `${store}, ${array}` };
  const folder = joinPath(storePath, arrayPath);
  const path = ['.zarray', 'zarr.json']
    .map((name) => joinPath(folder, name))
    .find((one) => files.metadataAt(one) !== undefined);
  const file = path === undefined ? undefined : files.metadataAt(path);
  if (path === undefined || file === undefined) return { kind: 'absent', detail: `no array ${folder}` };
  return planeOf(files, path, file, axisIndices);
}

function planeOf(
  files: OpenHcsFiles,
  path: string,
  file: number,
  axisIndices: readonly number[],
): ReferenceFound {
  let metadata: ArrayMetadata;
  try {
    metadata = files.arrayMetadata(path);
  } catch (error) {
    if (error instanceof PlateFsError) return { kind: 'unsupported', detail: error.message };
    throw error;
  }
  const why = whyNoImages(metadata);
  if (why !== undefined) return { kind: 'unsupported', detail: why };
  const page = pageAt(metadata.shape, axisIndices);
  if (page === undefined)
    return { kind: 'faulty', detail: `[${axisIndices}] selects no image of an array of [${metadata.shape}]` };
  return { kind: 'plane', file, detail: planeDetail(metadata, page) };
}
