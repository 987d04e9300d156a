import type { Dtype } from '../../core/nd-array.ts';
import type { ImageInfo } from '../../model/image.ts';

/** Types that a file holds in place of those that its readers don't know: every value is the same in it. */
export type Widening = { readonly [D in Dtype]?: Dtype };

/** The image with the pixel type its file has, and the source's where that is another. */
export function withFileDtype(
  image: ImageInfo,
  widening: Widening,
): { readonly image: ImageInfo; readonly sourceDtype?: Dtype } {
  const asked = image.dtype === 'float64' ? image.float64As : undefined;
  const dtype = asked ?? widening[image.dtype] ?? image.dtype;
  return dtype === image.dtype ? { image } : { image: { ...image, dtype }, sourceDtype: image.dtype };
}
