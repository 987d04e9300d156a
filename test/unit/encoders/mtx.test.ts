import { describe, expect, it } from 'vitest';
import mtx from '../../../src/encoders/mtx.ts';
import { sparseEncoderConformance } from '../../conformance/table-encoders.ts';

sparseEncoderConformance(mtx);

describe('Matrix Market files', () => {
  it('list entries from 1, one line of fixed length each', () => {
    const matrix = { shape: [12, 300], dtype: 'int16', entryCount: 2 } as const;
    const entries = {
      rows: Float64Array.of(11, 0),
      columns: Float64Array.of(0, 299),
      values: Int16Array.of(-7, 30_000),
    };
    expect(Buffer.from(mtx.header(matrix)).toString()).toBe(
      '%%MatrixMarket matrix coordinate integer general\n12 300 2\n',
    );
    expect(Buffer.from(mtx.lines(matrix, entries)).toString()).toBe('12   1     -7\n1  300  30000\n');
  });

  it('are laid out by arithmetic for more entries than memory holds', () => {
    const matrix = { shape: [2_000_000, 36_000], dtype: 'float32', entryCount: 6e9 } as const;
    expect(mtx.entryBytes(matrix) * matrix.entryCount).toBe(6e9 * (7 + 1 + 5 + 1 + 15 + 1));
  });
});
