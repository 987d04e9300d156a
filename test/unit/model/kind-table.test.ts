import { expect, it } from 'vitest';
import { KindTableBuilder, kindAt } from '../../../src/model/kind-table.ts';

it('finds the kind of a number as it was placed, whatever the order they were told in', () => {
  const table = new KindTableBuilder<{ readonly depth: number }>();
  table.add(2, { depth: 1 });
  table.add(0, { depth: 2 });
  table.add(1, { depth: 1 });
  const found = table.finish(Uint32Array.of(7, 3, 5));
  expect(found?.kinds).toHaveLength(2);
  const kinds = [3, 4, 5, 7].map((number) => found && kindAt(found, number)?.depth);
  expect(kinds).toEqual([1, undefined, 1, 2]);
});

it('is nothing where nothing was told', () => {
  expect(new KindTableBuilder<string>().finish(new Uint32Array(0))).toBeUndefined();
});
