import { basename } from 'node:path';
import { type NgffVersion, ZARR_V2_GROUP, zarrV3Group } from '../model/ngff.ts';
import { isObject, nameExists, readJson } from './atomic-json.ts';
import type { MetadataFile } from './store-documents.ts';

/** The group that lists the tables of the plate (proposal for OME-NGFF, "tables"). */
export const TABLES_GROUP = 'tables';

/** The tables of a store by their list. Does not write. */
export class StoreTables {
  private readonly storePath: string;
  private listed: Set<string> | undefined;

  constructor(storePath: string) {
    this.storePath = storePath;
  }

  /** Forgets everything. */
  reload(): void {
    this.listed = undefined;
  }

  /** A free path for a table; `taken` are paths promised to others. */
  freePath(version: NgffVersion, name: string, taken: ReadonlySet<string>): string {
    const listed = this.list(version);
    for (let attempt = 1; ; attempt++) {
      const own = attempt === 1 ? name : `${name}_${attempt}`;
      const path = `${TABLES_GROUP}/${own}`;
      if (!listed.has(own) && !taken.has(path) && !nameExists(`${this.storePath}/${path}`)) return path;
    }
  }

  /** Takes tables over that were placed; the list that names them. */
  admit(version: NgffVersion, paths: readonly string[]): MetadataFile[] {
    const listed = this.list(version);
    for (const path of paths) listed.add(basename(path));
    return this.documents(version);
  }

  /** Takes tables out; the list without them, nothing where none was on it. */
  dismiss(version: NgffVersion, paths: readonly string[]): MetadataFile[] {
    const listed = this.list(version);
    const gone = paths.filter((path) => listed.delete(basename(path)));
    return gone.length > 0 ? this.documents(version) : [];
  }

  /** In 0.5 beside what OME-NGFF defines, which has no tables yet. */
  private documents(version: NgffVersion): MetadataFile[] {
    const tables = [...this.list(version)].toSorted();
    const file = (name: string, content: object, level: MetadataFile['level']): MetadataFile => ({
      path: `${TABLES_GROUP}/${name}`,
      content,
      level,
    });
    if (version === '0.5') return [file('zarr.json', zarrV3Group(undefined, { tables }), 'well')];
    return [file('.zattrs', { tables }, 'well'), file('.zgroup', ZARR_V2_GROUP, 'array')];
  }

  private list(version: NgffVersion): Set<string> {
    if (this.listed) return this.listed;
    const folder = `${this.storePath}/${TABLES_GROUP}`;
    const document = readJson(`${folder}/${version === '0.4' ? '.zattrs' : 'zarr.json'}`);
    const attributes = version === '0.4' ? document : document?.['attributes'];
    const tables: unknown = isObject(attributes) ? attributes['tables'] : undefined;
    const names = Array.isArray(tables) ? (tables as unknown[]) : [];
    this.listed = new Set(names.filter((name): name is string => typeof name === 'string'));
    return this.listed;
  }
}
