import { loadAll } from '../../core/plugin.ts';
import {
  type ArrayEncoder,
  type ImageEncoder,
  imageEncoders,
  type SparseEncoder,
  type TableEncoder,
} from '../../encoders.ts';
import { ENCODERS, SPARSE_ENCODERS, TABLE_ENCODERS } from '../../registry.generated.ts';

/** The encoders of what sources hold, by id. */
export interface CatalogEncoders {
  readonly images: ReadonlyMap<string, ImageEncoder>;
  readonly arrays: ReadonlyMap<string, ArrayEncoder>;
  readonly tables: ReadonlyMap<string, TableEncoder>;
  readonly sparse: ReadonlyMap<string, SparseEncoder>;
}

const byId = <T extends { readonly id: string }>(all: readonly T[]): ReadonlyMap<string, T> =>
  new Map(all.map((one) => [one.id, one]));

export async function loadCatalogEncoders(): Promise<CatalogEncoders> {
  const [encoders, tables, sparse] = await Promise.all([
    loadAll(ENCODERS),
    loadAll(TABLE_ENCODERS),
    loadAll(SPARSE_ENCODERS),
  ]);
  return {
    images: byId(imageEncoders(encoders)),
    arrays: byId(encoders.filter((encoder) => encoder.takes === 'array')),
    tables: byId(tables),
    sparse: byId(sparse),
  };
}
