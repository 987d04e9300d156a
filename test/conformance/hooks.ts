import { describe, expect, it } from 'vitest';
import { BadParameterError } from '../../src/core/errors.ts';
import type { ArraySpec, Hook } from '../../src/hooks.ts';

export interface HookSuiteOptions {
  /** Parameter sets that must bind. */
  readonly good: readonly Readonly<Record<string, unknown>>[];
  /** Parameter sets that must be refused, with the parameter that is at fault. */
  readonly bad: readonly { readonly params: Readonly<Record<string, unknown>>; readonly parameter: string }[];
  readonly takes: readonly ArraySpec[];
  readonly refuses: readonly ArraySpec[];
}

/** What every hook promises. */
export function describeHook(hook: Hook, file: string, options: HookSuiteOptions): void {
  describe(`hook ${hook.id}`, () => {
    it('is called like its file and says what its parameters do', () => {
      expect(`${hook.id}.ts`).toBe(file);
      expect(hook.id).toMatch(/^[a-z][a-z-]*$/);
      expect(hook.title.length).toBeGreaterThan(5);
      const names = hook.parameters.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      for (const { schema, description } of hook.parameters) {
        expect(schema['type'] ?? schema['enum']).toBeDefined();
        expect(description.length).toBeGreaterThan(5);
      }
    });

    it.each(options.good)('takes %j and gives plain data', (params) => {
      const bound = hook.bind(params);
      expect(bound.operation).toBe(hook.id);
      expect(structuredClone(bound.params)).toEqual(bound.params);
      expect(Object.keys(bound.params).sort()).toEqual(hook.parameters.map(({ name }) => name).sort());
      expect(bound.haloPixels).toBeGreaterThanOrEqual(0);
    });

    it.each(options.bad)('refuses %j', ({ params, parameter }) => {
      expect(() => hook.bind(params)).toThrow(BadParameterError);
      expect(() => hook.bind(params)).toThrow(expect.objectContaining({ parameter }));
    });

    it('refuses parameters it does not know', () => {
      expect(() => hook.bind({ ...options.good[0], nonsense: 1 })).toThrow(/nonsense: .* takes/);
    });

    it.each(options.takes)('keeps the shape of %j or gives a table', (input) => {
      const output = hook.bind(options.good[0]!).output(input);
      if (output.array) expect(output.array.shape).toEqual(input.shape);
      else expect(output.table?.length).toBeGreaterThan(0);
    });

    it.each([
      ...options.refuses,
      { shape: [2, 4, 4], dtype: 'uint16' } as const,
      { shape: [0, 4], dtype: 'uint16' } as const,
      { shape: [4, 4], dtype: 'uint64' } as const,
    ])('refuses an input like %j', (input) => {
      expect(() => hook.bind(options.good[0]!).output(input)).toThrow(BadParameterError);
    });
  });
}
