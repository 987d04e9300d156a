import { BadParameterError } from '../../core/errors.ts';
import type { ArrayKind, ArraySpec } from '../../hooks.ts';

const KIND_NAMES: Record<ArrayKind, string> = {
  image: 'an image of intensities',
  mask: 'a mask',
  labels: 'a label image',
};

function refuse(hookId: string, detail: string): never {
  throw new BadParameterError(hookId, detail);
}

function requirePlane(hookId: string, input: ArraySpec): void {
  if (input.shape.length !== 2) {
    refuse(hookId, `takes one plane (y, x); it was given an array of shape [${input.shape.join(', ')}]`);
  }
  if (input.shape.some((extent) => extent < 1)) refuse(hookId, 'was given an image without pixels');
  if (input.dtype === 'int64' || input.dtype === 'uint64') {
    refuse(hookId, `can't take ${input.dtype} pixels; save the image as uint16, int32 or float32`);
  }
}

/** Accepts intensities of any type but 64-bit integers; `also` lists further kinds that make sense. */
export function requireImage(hookId: string, input: ArraySpec, also: readonly ArrayKind[] = []): void {
  requirePlane(hookId, input);
  const { kind } = input;
  if (kind !== undefined && kind !== 'image' && !also.includes(kind)) {
    refuse(hookId, `takes an image of intensities; the step before it gives ${KIND_NAMES[kind]}`);
  }
}

/** Accepts a mask, or an integer image of a file, where every value but 0 is foreground. */
export function requireMask(hookId: string, input: ArraySpec): void {
  requirePlane(hookId, input);
  if (input.kind === 'mask') return;
  if (input.kind !== undefined) {
    refuse(
      hookId,
      `takes a mask; the step before it gives ${KIND_NAMES[input.kind]}: put otsu or threshold before ${hookId}`,
    );
  }
  if (input.dtype.startsWith('float')) {
    refuse(hookId, `takes a mask of integers; the image is ${input.dtype}: put otsu or threshold before it`);
  }
}

/** Accepts a label image, or an integer image of a file, where 0 is background. */
export function requireLabels(hookId: string, input: ArraySpec): void {
  requirePlane(hookId, input);
  if (input.kind === 'labels') return;
  if (input.kind !== undefined) {
    refuse(
      hookId,
      `takes a label image; the step before it gives ${KIND_NAMES[input.kind]}: put label before ${hookId}`,
    );
  }
  if (input.dtype.startsWith('float')) {
    refuse(hookId, `takes a label image of integers; the image is ${input.dtype}: put label before it`);
  }
}
