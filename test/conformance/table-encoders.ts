import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../src/core/nd-array.ts';
import type { NumberWidth, SparseEncoder, SparseMatrix, TableEncoder } from '../../src/encoders.ts';
import type { SparseEntries, TableColumn, TableRows } from '../../src/sources.ts';

type Cell = TableRows['columns'][number][number];
export interface AnyTable {
  readonly columns: readonly TableColumn[];
  readonly rows: TableRows;
}

const INTEGER_LIMITS: Partial<Record<Dtype, readonly [bigint, bigint]>> = {
  uint8: [0n, 255n],
  int8: [-128n, 127n],
  uint16: [0n, 65_535n],
  int16: [-32_768n, 32_767n],
  uint32: [0n, 2n ** 32n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
};
const DTYPES: readonly Dtype[] = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'uint64',
  'int64',
  'float16',
  'float32',
  'float64',
];

/** Any value of a type, as typed arrays give it. */
export function anyNumber(dtype: Dtype): fc.Arbitrary<number | bigint> {
  const limits = INTEGER_LIMITS[dtype];
  if (limits) {
    const [min, max] = limits;
    const big = fc.bigInt({ min, max });
    return dtype.endsWith('64') ? big : big.map(Number);
  }
  if (dtype === 'float64') return fc.double();
  if (dtype === 'float32') return fc.float();
  return fc
    .integer({ min: 0, max: 65_535 })
    .map((bits) => new Float16Array(new Uint16Array([bits]).buffer)[0]!);
}

const TEXT = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('', ' ', ' a', 'a,b', 'a\tb', '"', 'a\nb', 'a\r\nb', 'é, "x"\n', '\ud83d\ude00'),
);

function anyCell(type: TableColumn['type']): fc.Arbitrary<Cell> {
  if (type === 'text') return fc.option(TEXT, { nil: undefined });
  return fc.option<number | bigint | boolean, undefined>(
    type === 'boolean' ? fc.boolean() : anyNumber(type),
    {
      nil: undefined,
    },
  );
}

/** A table whose first column is text that is never missing, as an index is. */
export const anyTable: fc.Arbitrary<AnyTable> = fc
  .tuple(
    fc.array(fc.tuple(TEXT, fc.constantFrom<TableColumn['type']>(...DTYPES, 'text', 'boolean')), {
      maxLength: 4,
    }),
    fc.integer({ min: 0, max: 12 }),
  )
  .chain(([more, rowCount]) => {
    const columns: TableColumn[] = [
      { name: 'name', type: 'text' },
      ...more.map(([name, type]) => ({ name, type })),
    ];
    const size = { minLength: rowCount, maxLength: rowCount };
    return fc
      .tuple(...columns.map(({ type }, at) => fc.array<Cell>(at === 0 ? TEXT : anyCell(type), size)))
      .map((cells) => ({ columns, rows: { columns: cells } }));
  });

const slice = ({ columns }: TableRows, from: number, to: number): TableRows => ({
  columns: columns.map((cells) => cells.slice(from, to)),
});

/** Cells as RFC 4180, section 2, reads them; lines without anything are no rows. */
export function parseDelimited(text: string, delimiter: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (let at = 0; at < text.length; ) {
    let cell = '';
    const isQuoted = text[at] === '"';
    if (isQuoted) {
      for (at += 1; text[at] !== '"' || text[at + 1] === '"'; at += 1) {
        if (text[at] === '"') at += 1;
        cell += text[at];
      }
      at += 1;
    } else {
      const start = at;
      while (at < text.length && text[at] !== delimiter && text[at] !== '\n') at += 1;
      cell = text.slice(start, at);
      expect(cell).not.toMatch(/["\r]/);
    }
    row.push(cell);
    expect([delimiter, '\n']).toContain(text[at]);
    if (text[at] === delimiter && text[at + 1] === '\n') row.push('');
    if (text[at] === '\n' || (text[at] === delimiter && text[at + 1] === '\n')) {
      if (text[at] === delimiter) at += 1;
      if (isQuoted || row.length > 1 || cell !== '') rows.push(row);
      row = [];
    }
    at += 1;
  }
  expect(row).toEqual([]);
  return rows;
}

function expectCell(text: string, value: Cell, { type }: TableColumn): void {
  if (value === undefined) expect(text).toBe('');
  else if (typeof value === 'string') expect(text).toBe(value);
  else if (typeof value === 'boolean') expect(text).toBe(value ? 'True' : 'False');
  else if (typeof value === 'bigint') expect(BigInt(text)).toBe(value);
  else {
    const read = Number(text.replace('inf', 'Infinity'));
    const rounded = type === 'float32' ? Math.fround(read) : type === 'float16' ? Math.f16round(read) : read;
    expect(rounded).toBe(value);
    if (type.startsWith('float') && Number.isFinite(value)) expect(text).toMatch(/[.e]/);
  }
}

export function tableEncoderConformance(encoder: TableEncoder, delimiter: string): void {
  const widths = ['exact', 'padded'] as const satisfies readonly NumberWidth[];
  const file = ({ columns, rows }: AnyTable, width: NumberWidth): string =>
    Buffer.concat([encoder.header(columns), encoder.lines(columns, rows, width)]).toString();

  describe(`table encoder ${encoder.id}`, () => {
    it.each(widths)('writes cells that read back as they were (%s)', (width) => {
      fc.assert(
        fc.property(anyTable, (table) => {
          const [names, ...rows] = parseDelimited(file(table, width), delimiter);
          const { columns } = table;
          expect(names).toEqual(columns.map(({ name }) => name));
          expect(rows.length).toBe(table.rows.columns[0]!.length);
          for (const [at, cells] of rows.entries()) {
            expect(cells.length).toBe(columns.length);
            for (const [c, column] of columns.entries()) {
              const text = cells[c]!;
              const shown = column.type === 'text' || width === 'exact' ? text : text.trimStart();
              expectCell(shown, table.rows.columns[c]![at], column);
            }
          }
        }),
      );
    });

    it.each(widths)('writes any rows as they stand in the whole (%s)', (width) => {
      fc.assert(
        fc.property(anyTable, fc.nat(12), fc.nat(12), ({ columns, rows }, a, b) => {
          const [first, end] = [Math.min(a, b), Math.max(a, b)];
          const part = (from: number, to: number) =>
            Buffer.from(encoder.lines(columns, slice(rows, from, to), width));
          const whole = encoder.lines(columns, rows, width);
          expect(Buffer.concat([part(0, first), part(first, end), part(end, 99)]).equals(whole)).toBe(true);
        }),
      );
    });

    it('writes padded lines as long as their texts say', () => {
      fc.assert(
        fc.property(anyTable, ({ columns, rows }) => {
          for (let row = 0; row < rows.columns[0]!.length; row += 1) {
            let sizeBytes = encoder.paddedBytes(columns);
            for (const [c, { type }] of columns.entries()) {
              if (type === 'text')
                sizeBytes += encoder.textBytes(rows.columns[c]![row] as string | undefined);
            }
            expect(encoder.lines(columns, slice(rows, row, row + 1), 'padded').length).toBe(sizeBytes);
          }
        }),
      );
    });

    it('refuses columns of unequal length', () => {
      const columns = [
        { name: 'a', type: 'text' as const },
        { name: 'b', type: 'int8' as const },
      ];
      expect(() => encoder.lines(columns, { columns: [['x']] }, 'exact')).toThrow(RangeError);
      expect(() => encoder.lines(columns, { columns: [['x'], []] }, 'exact')).toThrow(RangeError);
    });
  });
}

/** Any sparse matrix of one type, its entries in any order. */
const anySparse = fc
  .tuple(fc.integer({ min: 1, max: 1200 }), fc.integer({ min: 1, max: 40 }), fc.constantFrom(...DTYPES))
  .chain(([rows, columns, dtype]) =>
    fc
      .array(fc.tuple(fc.nat(rows - 1), fc.nat(columns - 1), anyNumber(dtype)), { maxLength: 20 })
      .map((entries) => ({
        matrix: { shape: [rows, columns], dtype, entryCount: entries.length } as SparseMatrix,
        entries: entriesOf(entries, dtype),
      })),
  );

function entriesOf(
  list: readonly (readonly [number, number, number | bigint])[],
  dtype: Dtype,
): SparseEntries {
  const rows = Float64Array.from(list, ([row]) => row);
  const columns = Float64Array.from(list, ([, column]) => column);
  const numbers = list.map(([, , value]) => value);
  if (dtype === 'uint64') return { rows, columns, values: BigUint64Array.from(numbers, BigInt) };
  if (dtype === 'int64') return { rows, columns, values: BigInt64Array.from(numbers, BigInt) };
  return { rows, columns, values: Float64Array.from(numbers, Number) };
}

export function sparseEncoderConformance(encoder: SparseEncoder): void {
  const cut = ({ rows, columns, values }: SparseEntries, from: number, to: number): SparseEntries => ({
    rows: rows.subarray(from, to),
    columns: columns.subarray(from, to),
    values: values.subarray(from, to),
  });

  describe(`sparse encoder ${encoder.id}`, () => {
    it('has its size before an entry is read, and gives any range of bytes as it stands in the whole', () => {
      fc.assert(
        fc.property(anySparse, fc.nat(2000), fc.nat(300), ({ matrix, entries }, offset, size) => {
          const header = encoder.header(matrix);
          const entryBytes = encoder.entryBytes(matrix);
          const whole = Buffer.concat([header, encoder.lines(matrix, entries)]);
          expect(whole.length).toBe(header.length + matrix.entryCount * entryBytes);
          const start = Math.min(offset, whole.length);
          const end = Math.min(start + size, whole.length);
          const first = Math.max(0, Math.floor((start - header.length) / entryBytes));
          const last = Math.max(0, Math.ceil((end - header.length) / entryBytes));
          const body = Buffer.from(encoder.lines(matrix, cut(entries, first, last)));
          const bytes = Buffer.concat([header.subarray(Math.min(start, header.length), end), body]);
          const skipped = Math.max(0, start - header.length - first * entryBytes);
          const part = start < header.length ? bytes : bytes.subarray(skipped);
          expect(part.subarray(0, end - start).equals(whole.subarray(start, end))).toBe(true);
        }),
      );
    });

    it('refuses an entry outside the matrix', () => {
      const matrix = { shape: [3, 2], dtype: 'int8', entryCount: 1 } as const;
      for (const [row, column] of [
        [3, 0],
        [0, 2],
        [-1, 0],
      ] as const)
        expect(() => encoder.lines(matrix, entriesOf([[row, column, 1]], 'int8'))).toThrow(RangeError);
    });
  });
}
