import type { ParameterSpec } from '../../hooks.ts';

/** The two parameters of every operation that looks at a neighbourhood of a fixed shape. */
export function footprintParameters(maximumRadius: number): readonly ParameterSpec[] {
  return [
    {
      name: 'radius',
      schema: { type: 'integer', minimum: 1, maximum: maximumRadius },
      default: 1,
      description: 'reach of the neighbourhood in pixels',
    },
    {
      name: 'shape',
      schema: { enum: ['disk', 'box'] },
      default: 'disk',
      description: 'disk: y² + x² ≤ radius²; box: a square of 2 × radius + 1 pixels',
    },
  ];
}
