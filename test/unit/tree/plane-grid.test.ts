import { describe, expect, it } from 'vitest';
import { imageParts } from '../../../src/model/image-parts.ts';
import { plateAxes } from '../../../src/model/plate-axes.ts';
import { PlateIndexBuilder } from '../../../src/model/plate-index-builder.ts';
import { PlaneGrid } from '../../../src/tree/plane-grid.ts';

const STARTED = Date.UTC(2026, 0, 2, 3, 4, 5);
const FACTS = {
  name: 'p',
  format: 'x',
  formatDetail: '',
  channels: [{ number: 2, name: 'GFP', emissionNm: 520, excitationNm: 488 }],
  pixelSizeUm: { x: 0.5, y: 0.5 },
};
const SHAPE = { width: 10, height: 10, dtype: 'uint16' } as const;
const whole = { projection: false };

/** Two channels, three time points; of the second time point's first channel nothing is told. */
function index(told: 'times' | 'elapsed' | 'nothing') {
  const builder = new PlateIndexBuilder('/nowhere');
  for (let t = 1; t <= 3; t += 1)
    for (const channel of [1, 2]) {
      const file = builder.addFile(0, `t${t}_w${channel}.tif`);
      const elapsedS = (t - 1) * 60 + channel;
      const detail =
        told === 'nothing' || (t === 2 && channel === 1)
          ? undefined
          : {
              xUm: t,
              ...(told === 'times' ? { acquiredAtMs: STARTED + elapsedS * 1000 } : { elapsedS }),
            };
      builder.addPlane(file, 0, 0, 1, channel, 1, t, '.tif', detail);
    }
  return builder.finish(FACTS);
}

describe('a field as an image', () => {
  it('was acquired with its first plane, and says of each how long after', () => {
    const plate = index('times');
    const image = new PlaneGrid(plate, 0, whole, plateAxes(plate));
    const info = image.info('A01_s001', SHAPE);
    expect(info).toMatchObject({
      name: 'A01_s001',
      shape: [3, 2, 1, 10, 10],
      acquiredAtMs: STARTED + 1000,
      channels: [{}, { name: 'GFP', emissionNm: 520, excitationNm: 488 }],
    });
    const planes = image.planes();
    expect(planes?.(0, 0, 0)).toEqual({ xUm: 1, elapsedS: 0 });
    expect(planes?.(1, 0, 0)).toEqual({});
    expect(planes?.(2, 1, 0)).toEqual({ xUm: 3, elapsedS: 121 });
    expect(planes?.(3, 0, 0)).toBeUndefined();
  });

  it('has times since the plate began where only these are told, and nothing where nothing is', () => {
    const plate = index('elapsed');
    const image = new PlaneGrid(plate, 0, whole, plateAxes(plate));
    expect(image.info('A01_s001', SHAPE).acquiredAtMs).toBeUndefined();
    expect(image.planes()?.(2, 1, 0)).toEqual({ xUm: 3, elapsedS: 122 });
    const silent = index('nothing');
    expect(new PlaneGrid(silent, 0, whole, plateAxes(silent)).planes()).toBeUndefined();
  });

  it('counts, in a part, from the first plane of the part', () => {
    const plate = index('times');
    const axes = plateAxes(plate);
    const numbered = { ts: axes.ts, channels: axes.channels, zs: axes.zs };
    const part = imageParts(numbered, 1000 - 512, { limitBytes: 2000 })?.[2];
    if (!part || typeof part === 'string') throw new Error('no third part');
    const image = new PlaneGrid(plate, 0, { projection: false, part }, axes);
    expect(image.info('A01_s001', SHAPE)).toMatchObject({
      shape: [1, 2, 1, 10, 10],
      acquiredAtMs: STARTED + 121_000,
    });
    expect(image.planes()?.(0, 1, 0)).toEqual({ xUm: 3, elapsedS: 1 });
    expect(image.planeAt(0, 1, 0)).toBe(5);
  });
});
