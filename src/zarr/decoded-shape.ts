import type { ArrayMetadata } from './array-metadata.ts';

/** The smallest piece of an array that is decoded at once: a chunk, or an inner chunk of a shard, cut to the array. */
export function decodedShape({
  shape: arrayShape,
  chunkShape,
  chain: outer,
}: Pick<ArrayMetadata, 'shape' | 'chunkShape' | 'chain'>): readonly number[] {
  let shape = chunkShape;
  let chain = outer;
  // Axes of `shape` as stored, back to the array's own.
  let axes = shape.map((_, axis) => axis);
  while (chain.shard && chain.steps.length === 0) {
    const { order, shard } = chain;
    if (order) axes = order.map((axis) => axes[axis] ?? 0);
    const inner = shard.innerShape;
    shape = chunkShape.map((_, axis) => inner[axes.indexOf(axis)] ?? 1);
    chain = shard.inner;
  }
  return shape.map((extent, axis) => Math.max(1, Math.min(extent, arrayShape[axis] ?? 1)));
}
