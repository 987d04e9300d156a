import binaryClosing from '../../../src/hooks/binary-closing.ts';
import binaryDilation from '../../../src/hooks/binary-dilation.ts';
import binaryErosion from '../../../src/hooks/binary-erosion.ts';
import binaryOpening from '../../../src/hooks/binary-opening.ts';
import gaussian from '../../../src/hooks/gaussian.ts';
import label from '../../../src/hooks/label.ts';
import measure from '../../../src/hooks/measure.ts';
import median from '../../../src/hooks/median.ts';
import otsu from '../../../src/hooks/otsu.ts';
import threshold from '../../../src/hooks/threshold.ts';
import type { ArraySpec } from '../../../src/hooks.ts';
import { describeHook } from '../../conformance/hooks.ts';

const file: ArraySpec = { shape: [7, 5], dtype: 'uint16' };
const image: ArraySpec = { shape: [7, 5], dtype: 'float32', kind: 'image' };
const mask: ArraySpec = { shape: [7, 5], dtype: 'uint8', kind: 'mask' };
const labels: ArraySpec = { shape: [7, 5], dtype: 'int32', kind: 'labels' };
const floatFile: ArraySpec = { shape: [7, 5], dtype: 'float32' };

describeHook(gaussian, 'gaussian.ts', {
  good: [{ sigma: 2 }, { sigma: 0.1 }, { sigma: 250 }],
  bad: [
    { params: {}, parameter: 'sigma' },
    { params: { sigma: 0 }, parameter: 'sigma' },
    { params: { sigma: '2' }, parameter: 'sigma' },
    { params: { sigma: Number.NaN }, parameter: 'sigma' },
    { params: { sigma: 251 }, parameter: 'sigma' },
  ],
  takes: [file, image, mask],
  refuses: [labels],
});
describeHook(median, 'median.ts', {
  good: [{}, { radius: 2 }, { radius: 50, shape: 'box' }],
  bad: [
    { params: { radius: 1.5 }, parameter: 'radius' },
    { params: { radius: 51 }, parameter: 'radius' },
    { params: { shape: 'circle' }, parameter: 'shape' },
  ],
  takes: [file, image, mask],
  refuses: [labels],
});
describeHook(otsu, 'otsu.ts', { good: [{}], bad: [], takes: [file, image], refuses: [mask, labels] });
describeHook(threshold, 'threshold.ts', {
  good: [{ value: 100 }, { value: -0.5 }],
  bad: [
    { params: {}, parameter: 'value' },
    { params: { value: Number.POSITIVE_INFINITY }, parameter: 'value' },
  ],
  takes: [file, image, mask, labels],
  refuses: [],
});
for (const [hook, name] of [
  [binaryErosion, 'binary-erosion.ts'],
  [binaryDilation, 'binary-dilation.ts'],
  [binaryOpening, 'binary-opening.ts'],
  [binaryClosing, 'binary-closing.ts'],
] as const) {
  describeHook(hook, name, {
    good: [{}, { radius: 3, shape: 'disk' }, { radius: 100, shape: 'box' }],
    bad: [
      { params: { radius: 0 }, parameter: 'radius' },
      { params: { shape: 1 }, parameter: 'shape' },
    ],
    takes: [file, mask],
    refuses: [image, labels, floatFile],
  });
}
describeHook(label, 'label.ts', {
  good: [{}, { connectivity: 8 }],
  bad: [{ params: { connectivity: 6 }, parameter: 'connectivity' }],
  takes: [file, mask],
  refuses: [image, labels, floatFile],
});
describeHook(measure, 'measure.ts', {
  good: [{}],
  bad: [],
  takes: [file, labels],
  refuses: [image, mask, floatFile],
});
