import { type NgffVersion, ZARR_V2_GROUP, zarrV3Group } from '../model/ngff.ts';
import { isObject, type JsonObject, readJson } from './atomic-json.ts';

/** A document of the store: its path below the group, and its content. */
export interface GroupDocument {
  readonly name: string;
  readonly content: object;
}

/** The document that gives a group its attributes. */
export const attributesName = (version: NgffVersion): string => (version === '0.4' ? '.zattrs' : 'zarr.json');

/**
 * The documents of a group: `ngff` is what OME-NGFF defines, `own` what PlateFS adds under `platefs`. The one with
 * the attributes comes first.
 */
export function groupDocuments(version: NgffVersion, ngff?: object, own?: object): GroupDocument[] {
  const platefs = own === undefined ? {} : { platefs: own };
  if (version === '0.5') return [{ name: 'zarr.json', content: zarrV3Group(ngff, platefs) }];
  const group = { name: '.zgroup', content: ZARR_V2_GROUP };
  return ngff === undefined && own === undefined
    ? [group]
    : [{ name: '.zattrs', content: { ...ngff, ...platefs } }, group];
}

/** Attributes of a group: OME-NGFF's, and ours under `platefs`. */
export interface GroupAttributes {
  readonly ngff: JsonObject;
  readonly platefs: JsonObject | undefined;
}

/** @returns undefined where the group has no attributes. @throws BadZarrError when the document is damaged. */
export function readGroup(version: NgffVersion, groupPath: string): GroupAttributes | undefined {
  const document = readJson(`${groupPath}/${attributesName(version)}`);
  const attributes = version === '0.4' ? document : document?.['attributes'];
  if (!isObject(attributes)) return undefined;
  const { platefs } = attributes;
  const ngff = version === '0.4' ? attributes : attributes['ome'];
  return { ngff: isObject(ngff) ? ngff : {}, platefs: isObject(platefs) ? platefs : undefined };
}
