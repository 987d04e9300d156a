import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tiff from '../../../src/sources/tiff.ts';
import { type CatalogSample, sourceCatalogConformance } from '../../conformance/source-catalogs.ts';
import { writeTiff } from '../../fixtures/tiff.ts';

sourceCatalogConformance(tiff, (folder) => {
  const sample = (name: string, bytes: Uint8Array, pixels: CatalogSample['pixels']): CatalogSample => {
    mkdirSync(join(folder, name));
    const path = join(folder, name, `${name}.tif`);
    writeFileSync(path, bytes);
    return { path, pixels };
  };
  const pixels = Uint8Array.from({ length: 2 * 13 * 21 }, (_, i) => (i * 7) & 255);
  return [
    sample('plain', writeTiff({ pages: [{ width: 21, height: 13, bits: 16, pixels }] }), [
      { path: 'plain', shape: [1, 1, 1, 13, 21], dtype: 'uint16', bytes: pixels },
    ]),
  ];
});
