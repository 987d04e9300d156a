import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../../src/core/nd-array.ts';
import { loadAll } from '../../../src/core/plugin.ts';
import { imageEncoders } from '../../../src/encoders.ts';
import type { PlateIndex } from '../../../src/model/plate-index.ts';
import { PlateIndexBuilder } from '../../../src/model/plate-index-builder.ts';
import { ENCODERS } from '../../../src/registry.generated.ts';
import { warnOfTypes } from '../../../src/tree/forbidden-types.ts';
import { PlateTree } from '../../../src/tree/plate-tree.ts';
import { shareTree, type TreeOptions } from '../../../src/tree/shared-tree.ts';

const encoders = imageEncoders(await loadAll(ENCODERS));

/** A plate out of containers whose sites are of these types. */
function plate(...dtypes: readonly Dtype[]): PlateIndex {
  const builder = new PlateIndexBuilder('/nowhere');
  for (const [i, dtype] of dtypes.entries()) {
    const shape = { width: 4, height: 3, dtype };
    const file = builder.addFile(0, `s${i + 1}.zarr`);
    builder.addPlane(file, 0, 0, i + 1, 1, 1, 1, '.tif', { page: 0, shape });
  }
  return builder.finish({ name: 'p', format: 'x', formatDetail: '', channels: [] });
}

/** Names in folders of the mount. */
function listed(index: PlateIndex, options: Partial<TreeOptions> = {}): Record<string, string[]> {
  const shared = shareTree(index, 0, { mountpoint: '/m', missing: 'zeros', ...options });
  const tree = new PlateTree(shared, encoders, () => expect.unreachable());
  const found = ['images', 'stacks', 'previews'].map((name) => {
    const folder = tree.resolve(name) ?? 0;
    const names = [...tree.names(folder)];
    for (const one of names) expect(tree.lookup(folder, one)).toBeDefined();
    return [name, names];
  });
  expect(tree.resolve('images/A01_s002_w1_z001_t001.tif') !== undefined).toBe(
    found[0]?.[1]?.includes('A01_s002_w1_z001_t001.tif'),
  );
  return Object.fromEntries(found) as Record<string, string[]>;
}

describe('pixels of a type that TIFFs are not read of', () => {
  it('have no files where the index tells it, and previews', () => {
    const mixed = plate('uint16', 'float64', 'int64');
    const previews = [1, 2, 3].map((site) => `A01_s00${site}_w1_z001_t001.png`);
    const first = ['A01_s001.tif', 'A01_s001.ome.tif'];
    expect(listed(mixed)).toEqual({
      images: ['A01_s001_w1_z001_t001.tif'],
      stacks: [...first, 'A01_s002.ome.tif'],
      previews,
    });
    expect(listed(mixed, { float64As: 'float32' })).toEqual({
      images: ['A01_s001_w1_z001_t001.tif', 'A01_s002_w1_z001_t001.tif'],
      stacks: [...first, 'A01_s002.tif', 'A01_s002.ome.tif'],
      previews,
    });
    expect(listed(mixed, { names: '{well}/{site}{ext}' })['images']).toEqual(['A01']);
  });

  it('are named in no table, and told of by their source', () => {
    const index = plate('uint16', 'float64', 'int64');
    const textOf = (name: string): string[] => {
      const shared = shareTree(index, 0, { mountpoint: '/m', missing: 'zeros' });
      const tree = new PlateTree(shared, encoders, () => expect.unreachable());
      const table = tree.tables.fileOf(tree.resolve(`tables/${name}`) ?? 0);
      if (!table) throw new Error(`there is no ${name}`);
      for (const _ of table.measure());
      const bytes = new Uint8Array(table.sizeBytes);
      table.read(0, bytes);
      return Buffer.from(bytes).toString().trimEnd().split('\n').slice(1);
    };
    expect(textOf('plate.csv').map((row) => row.split(',').slice(0, 2))).toEqual([
      ['A01_s001_w1_z001_t001.tif', 's1.zarr'],
      ['', 's2.zarr'],
      ['', 's3.zarr'],
    ]);
    expect(textOf('LoadData.csv')).toEqual([expect.stringMatching(/^A01_s001_w1_z001_t001\.tif,/)]);
    expect(textOf('LoadData_incomplete.csv')).toEqual([]);
  });

  it('are told of once, where the mount has them not rounded', async () => {
    const { warnings } = await warnOfTypes(plate('uint16', 'float64', 'int64', 'float64'), undefined);
    expect(warnings.map(({ kind, message }) => [kind, message])).toEqual([
      [
        'not-shown',
        expect.stringMatching(/^pixels are float64.*images\/ and stacks\/ lack \.tif of.*float64=float32/),
      ],
      [
        'not-shown',
        expect.stringMatching(/^pixels are int64.*lack \.tif and \.ome\.tif of.*open plate\.ome\.zarr$/),
      ],
    ]);
    const rounded = await warnOfTypes({ ...plate('float64', 'int64'), warnings }, 'float32');
    expect(rounded.warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^pixels are int64/),
    ]);
    const usual = plate('uint16', 'float32');
    expect(await warnOfTypes(usual, undefined)).toBe(usual);
  });
});
