import type { ArrayShape } from '../model/ngff.ts';
import type { PlaneIndex } from './array-format.ts';
import type { ResultImage } from './result-image.ts';
import type { TiffFacts } from './tiff-facts.ts';
import { planeKey, type WrittenFile, withPlane } from './written-planes.ts';

/** The image once it holds the plane of a file at `index`, of which this is known; earlier facts stay. */
export function grown(
  image: ResultImage,
  index: PlaneIndex,
  known: TiffFacts,
  file: WrittenFile,
): ResultImage {
  const [t, c, z, y, x] = image.shape;
  const shape: ArrayShape = [
    Math.max(t, index[0] + 1),
    Math.max(c, index[1] + 1),
    Math.max(z, index[2] + 1),
    y,
    x,
  ];
  const { channelName, channelColor, channels: _, ...facts } = known;
  return {
    ...image,
    shape,
    facts: { ...facts, ...image.facts },
    channelNames: {
      ...(channelName === undefined ? {} : { [index[1]]: channelName }),
      ...image.channelNames,
    },
    channelColors: {
      ...(channelColor === undefined ? {} : { [index[1]]: channelColor }),
      ...image.channelColors,
    },
    written: withPlane(image, planeKey(index), file),
  };
}

/** The image that holds the planes of both. */
export function union(a: ResultImage, b: ResultImage): ResultImage {
  const shape = a.shape.map((extent, axis) => Math.max(extent, b.shape[axis] ?? 0));
  const [t = 0, c = 0, z = 0, y = 0, x = 0] = shape;
  return {
    ...a,
    shape: [t, c, z, y, x],
    facts: { ...b.facts, ...a.facts },
    channelNames: { ...b.channelNames, ...a.channelNames },
    channelColors: { ...b.channelColors, ...a.channelColors },
    written: { ...a.written, ...b.written },
  };
}
