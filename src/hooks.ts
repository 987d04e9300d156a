import type { Dtype, NdArray } from './core/nd-array.ts';

/** What an array's numbers mean: intensities, foreground (not 0) and background (0), or object numbers. */
export type ArrayKind = 'image' | 'mask' | 'labels';

/** Shape and type of what a hook takes or gives, before anything runs. 2-D: `[y, x]`. */
export interface ArraySpec {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** Absent: not known, as for a file that may hold anything. */
  readonly kind?: ArrayKind;
}

/** A table a hook measures: one row per object. Column order is the file's. */
export interface Table {
  readonly columns: readonly {
    readonly name: string;
    readonly values: Float64Array;
  }[];
}

/** A parameter as a mount definition may set it. */
export type ParameterValue = number | string | boolean | readonly number[];

export interface ParameterSpec {
  readonly name: string;
  /** JSON-Schema fragment of the value. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** Used when the definition leaves it out; absent means required. */
  readonly default?: ParameterValue;
  /** What it does, with its unit. */
  readonly description: string;
}

/**
 * A hook with its parameters checked. `operation` and `params` are plain data: a device in another thread or
 * process runs its own kernel of that name.
 */
export interface BoundHook {
  readonly operation: string;
  readonly params: Readonly<Record<string, ParameterValue>>;
  /**
   * What comes out for what goes in. `array` is absent for an operation that only measures.
   * @throws BadParameterError when it can't take such an input.
   */
  output(input: ArraySpec): {
    readonly array?: ArraySpec;
    readonly table?: readonly string[];
  };
  /** Pixels around a region that its output depends on, per axis; Infinity for the whole image. */
  readonly haloPixels: number;
}

/** Port: one operation. The semantics (boundary, dtype rule, units) are stated here once for all devices. */
export interface Hook {
  /** Stable lower-case id, equal to the file's name: `gaussian`, `otsu`. */
  readonly id: string;
  readonly title: string;
  readonly parameters: readonly ParameterSpec[];
  /** @throws BadParameterError naming the parameter and what to write instead. */
  bind(params: Readonly<Record<string, unknown>>): BoundHook;
}

/** What one step of a chain left behind. */
export interface StepResult {
  readonly array?: NdArray;
  readonly table?: Table;
  /** Numbers worth recording, such as the threshold that Otsu chose. */
  readonly scalars?: Readonly<Record<string, number>>;
}
