import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactNumber, typedColumns } from '../../../src/materializer/table-columns.ts';
import { arrayNames } from '../../../src/materializer/table-files.ts';
import { readTextTable } from '../../../src/materializer/table-text.ts';

describe('a table written as text', () => {
  it('is read with quotes, line ends and delimiters of any kind', () => {
    const columns = [
      ['1', '2'],
      ['x, "y"\nz', ''],
    ];
    for (const [name, text] of [
      ['t.csv', 'a,b\r\n1,"x, ""y""\nz"\r\n2,\r\n'],
      ['t.tsv', 'a\tb\n1\t"x, ""y""\nz"\n2\t'],
      ['t.csv', 'a;b\r1;"x, ""y""\nz"\r2;""\r'],
    ] as const)
      expect(readTextTable(text, name)).toEqual({ names: ['a', 'b'], columns });
  });

  it('gives back whatever a program quotes', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é', ' ', '7') });
    const rows = fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(rows, (table) => {
        const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
        const lines = [['x', 'y'], ...table].map((row) => `${row.map(quoted).join(',')}\n`);
        const columns = [0, 1].map((at) => table.map((row) => row[at]));
        expect(readTextTable(lines.join(''), 't.csv')).toEqual({ names: ['x', 'y'], columns });
      }),
    );
  });

  it.each([
    ['', 'it is empty'],
    ['a,b\n', 'it has a header and no row'],
    ['1,2\n3,4\n', 'its first line is no header'],
    ['a,b\n1,2\n3\n', 'row 2 has 1 cells where its header has 2'],
    ['a,b\n\n1,2\n', 'row 1 has 1 cells where its header has 2'],
    ['a,a\n1,2\n', 'two of its columns are named "a"'],
    ['a,b\n1,\0\n', 'it is no text'],
  ])('%j is none', (text, why) => expect(readTextTable(text, 't.csv')).toBe(why));
});

describe('columns', () => {
  it.each([
    ['12', 12],
    ['-0.5', -0.5],
    ['1e3', 1000],
    ['.5', 0.5],
    ['0', 0],
    ['0.000', 0],
    ['inf', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['9007199254740992', 2 ** 53],
    ['9007199254740993', undefined],
    ['9007199254740993.0', undefined],
    ['18446744073709551615', undefined],
    ['0.1234567890123456789', undefined],
    ['1e999', undefined],
    ['1e-999', undefined],
    ['007', undefined],
    ['0x10', undefined],
    ['1_000', undefined],
    ['1,5', undefined],
    ['2026-01-01', undefined],
  ])('%s is %s', (text, number) => expect(exactNumber(text)).toBe(number));

  it('every float64 as programs write it is that number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(exactNumber(String(number))).toBe(Object.is(number, -0) ? 0 : number);
        expect(exactNumber(number.toExponential(16))).toBe(number);
      }),
    );
  });

  it('are of numbers only when all that is written in them are', () => {
    const table = readTextTable('n,mixed,empty,big,\n1,1,,9007199254740993,a\n,x,,2,b\nNA,3,,3,c\n', 't.csv');
    if (typeof table === 'string') throw new Error(table);
    expect(typedColumns(table)).toEqual([
      { kind: 'number', name: 'n', values: Float64Array.of(1, Number.NaN, Number.NaN) },
      { kind: 'text', name: 'mixed', values: ['1', 'x', '3'] },
      { kind: 'text', name: 'empty', values: ['', '', ''] },
      { kind: 'text', name: 'big', values: ['9007199254740993', '2', '3'] },
      { kind: 'text', name: 'column_5', values: ['a', 'b', 'c'] },
    ]);
  });

  it('have names that can be those of arrays, each its own', () => {
    const names = arrayNames(['a/b', 'a_b', '..', '_index', '.zattrs', 'plain name']);
    expect([...names.values()]).toEqual(['a_b_', 'a_b', '_', '_index_', '_zattrs', 'plain name']);
  });
});
