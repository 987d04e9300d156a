import { describe, expect, it } from 'vitest';
import { type SourceReport, sourceReportText } from '../../../src/cli/source-report.ts';

const image = { path: 's00', shape: [1, 2, 27, 226, 186], dtype: 'uint16' };
const source = (name: string, images: readonly (typeof image)[]): SourceReport['sources'][number] => ({
  name,
  path: `/data/${name}`,
  title: 'HDF5',
  driver: 'hdf5',
  images,
  arrays: 3,
  tables: 0,
  files: 5,
});
const report: SourceReport = {
  root: '/data',
  kind: 'folder',
  sources: [],
  plates: [],
  ordinary: [],
  warnings: [],
};

describe('what inspect tells of files and stores', () => {
  it('is one line for one file, under its own path', () => {
    const only = { ...source('', [image]), path: '/data/a.h5' };
    expect(sourceReportText({ ...report, kind: 'file', sources: [only] })).toBe(
      '/data/a.h5\n  HDF5: 1 image (186 × 226 pixels, 2 channels, 27 z-steps, uint16), 3 arrays, shown as 5 files\n',
    );
  });

  it('is aligned, and says why a file stays a file once', () => {
    const why = '/data/cut.h5: truncated';
    const text = sourceReportText({
      ...report,
      plates: [{ name: 'plate1', format: 'ImageXpress', planes: 1234 }],
      sources: [source('b.h5', [image, { ...image, path: '' }])],
      ordinary: [{ name: 'cut.h5', why: 'truncated' }, { name: 'notes.txt' }],
      warnings: [
        { kind: 'unreadable-source', message: `cut.h5 is shown as it is: ${why}`, files: ['cut.h5'] },
        { kind: 'not-shown', message: 'b.h5/x: is text', files: ['b.h5/x'] },
      ],
    });
    expect(text).toBe(`/data
  plate1/    plate, ImageXpress: 1,234 planes
  b.h5/      HDF5: 2 images, 3 arrays, shown as 5 files
      s00        186 × 226 pixels, 2 channels, 27 z-steps, uint16
      (unnamed)  186 × 226 pixels, 2 channels, 27 z-steps, uint16
  cut.h5     as it is: truncated
  notes.txt  as it is

1 warning
  not-shown: b.h5/x: is text
`);
  });

  it('stays short whatever there is, and says how many more there are', () => {
    const many = <T>(count: number, of: (i: number) => T): T[] =>
      Array.from({ length: count }, (_, i) => of(i));
    const images = many(10_000, () => image);
    const text = sourceReportText({
      ...report,
      plates: many(99, (i) => ({ name: `p${i}`, format: 'x', planes: 1 })),
      sources: many(1000, (i) => source(`s${i}.h5`, images)),
      ordinary: many(10_000, (i) => ({ name: `o${i}` })),
      warnings: many(5000, (i) => ({ kind: 'not-shown', message: `${i}`, files: [] })),
    });
    const lines = text.split('\n');
    expect(lines.length).toBeLessThan(300);
    for (const more of [
      '  … and 79 more plates (--json shows all)',
      '  … and 980 more files and stores (--json shows all)',
      '      … and 9,992 more images (--json shows all)',
      '  … and 9,980 more files and folders as they are (--json shows all)',
      '  … and 4,988 more warnings (--json shows all)',
    ])
      expect(lines).toContain(more);
  });
});
