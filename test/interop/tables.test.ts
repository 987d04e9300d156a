import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import csv from '../../src/encoders/csv.ts';
import mtx from '../../src/encoders/mtx.ts';
import tsv from '../../src/encoders/tsv.ts';
import type { NumberWidth } from '../../src/encoders.ts';
import type { TableColumn, TableRows } from '../../src/sources.ts';

const PYTHON = '/usr/bin/python3';
const hasPython =
  existsSync(PYTHON) &&
  spawnSync(PYTHON, ['-c', 'import pandas, scipy.io'], { stdio: 'ignore' }).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'platefs-interop-tables-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const python = (script: string, ...args: string[]): unknown =>
  JSON.parse(execFileSync(PYTHON, ['-c', script, ...args], { encoding: 'utf8', timeout: 200_000 }));

const COLUMNS: readonly TableColumn[] = [
  { name: 'the "name"', type: 'text' },
  { name: 'f32', type: 'float32' },
  { name: 'f64', type: 'float64' },
  { name: 'i64', type: 'int64' },
  { name: 'u64', type: 'uint64' },
  { name: 'yes', type: 'boolean' },
];
const ROWS: TableRows = {
  columns: [
    ['a,b', ' blank', 'two\nlines', 'quote"d', 'é'],
    [Math.fround(0.1), Math.fround(1e-45), -0, Number.NaN, Number.POSITIVE_INFINITY],
    [0.1, 5e-324, 1.7976931348623157e308, Number.NEGATIVE_INFINITY, Number.NaN],
    [-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n, 0n, 1n, 2n],
    [18_446_744_073_709_551_615n, 1n, 2n, 3n, 4n],
    [true, false, true, false, true],
  ],
};

const READ_TABLE = `
import csv, json, sys, numpy as np, pandas as pd
path, sep = sys.argv[1], sys.argv[2]
out = []
for engine in ('c', 'python'):
    extra = {'float_precision': 'round_trip'} if engine == 'c' else {}
    t = pd.read_csv(path, sep=sep, engine=engine, **extra)
    out.append([list(t.columns), [str(d) for d in t.dtypes], t.iloc[:, 0].tolist(),
                [x.hex() for x in t['f32'].astype('float32').astype('float64').tolist()],
                [x.hex() for x in t['f64'].tolist()],
                [str(x) for x in t['i64']], [str(x) for x in t['u64']], t['yes'].tolist()])
rows = [row for row in csv.reader(open(path, newline=''), delimiter=sep) if row]
print(json.dumps(dict(pandas=out, names=[row[0] for row in rows[1:]],
                      numbers=[[float(row[1]).hex(), float(row[2]).hex()] for row in rows[1:]])))
`;

describe.skipIf(!hasPython)('tables in Python', () => {
  const cases: readonly (readonly [string, typeof csv, string, NumberWidth])[] = [
    ['csv', csv, ',', 'exact'],
    ['csv', csv, ',', 'padded'],
    ['tsv', tsv, '\t', 'exact'],
    ['tsv', tsv, '\t', 'padded'],
  ];
  it.each(cases)('%s: pandas and csv read every cell back, numbers %s', (id, encoder, separator, width) => {
    const path = join(folder, `${id}-${width}`);
    writeFileSync(path, Buffer.concat([encoder.header(COLUMNS), encoder.lines(COLUMNS, ROWS, width)]));
    const read = python(READ_TABLE, path, separator) as {
      pandas: unknown[];
      names: string[];
      numbers: string[][];
    };
    const names = ROWS.columns[0];
    const pandas = [
      COLUMNS.map(({ name }) => name),
      ['object', 'float64', 'float64', 'int64', 'uint64', 'bool'],
      names,
      ['0x1.99999a0000000p-4', '0x1.0000000000000p-149', '-0x0.0p+0', 'nan', 'inf'],
      ['0x1.999999999999ap-4', '0x0.0000000000001p-1022', '0x1.fffffffffffffp+1023', '-inf', 'nan'],
      ['-9223372036854775808', '9223372036854775807', '0', '1', '2'],
      ['18446744073709551615', '1', '2', '3', '4'],
      [true, false, true, false, true],
    ];
    expect(read.pandas).toEqual([pandas, pandas]);
    expect(read.names).toEqual(names);
    expect(read.numbers.map(([, f64]) => f64)).toEqual(pandas[4]);
  });

  it('mtx: scipy reads entries back in every type', () => {
    const values = {
      float32: Float32Array.of(0.1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45),
      float64: Float64Array.of(0.1, 5e-324, 1.7976931348623157e308, Number.NEGATIVE_INFINITY, 1 / 3),
      int64: BigInt64Array.of(-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n, 0n, 1n, 2n),
      uint64: BigUint64Array.of(18_446_744_073_709_551_615n, 0n, 1n, 2n, 3n),
      uint8: Uint8Array.of(0, 1, 2, 3, 255),
    } as const;
    const rows = Float64Array.of(0, 0, 4, 9, 10);
    const columns = Float64Array.of(0, 2, 1, 0, 2);
    for (const [dtype, list] of Object.entries(values)) {
      const matrix = { shape: [11, 3], dtype: dtype as keyof typeof values, entryCount: 5 } as const;
      const path = join(folder, `${dtype}.mtx`);
      writeFileSync(
        path,
        Buffer.concat([mtx.header(matrix), mtx.lines(matrix, { rows, columns, values: list })]),
      );
      const read = python(
        `import json, sys, numpy as np, scipy.io
m = scipy.io.mmread(sys.argv[1])
print(json.dumps([m.shape, m.row.tolist(), m.col.tolist(), m.data.astype(sys.argv[2]).tobytes().hex()]))`,
        path,
        dtype,
      ) as [number[], number[], number[], string];
      expect(read.slice(0, 3)).toEqual([[11, 3], [...rows], [...columns]]);
      expect(read[3]).toBe(Buffer.from(list.buffer).toString('hex'));
    }
  });

  it('mtx: scipy reads a matrix without entries', () => {
    const matrix = { shape: [4, 7], dtype: 'float32', entryCount: 0 } as const;
    const path = join(folder, 'empty.mtx');
    writeFileSync(path, mtx.header(matrix));
    const shape = python(
      'import json, sys, scipy.io\nm = scipy.io.mmread(sys.argv[1])\nprint(json.dumps([*m.shape, m.nnz]))',
      path,
    );
    expect(shape).toEqual([4, 7, 0]);
  });
});
