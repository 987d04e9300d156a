import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import omeEncoder from '../../../src/encoders/ome-tiff.ts';
import tiffEncoder from '../../../src/encoders/tiff.ts';
import { tiffPixelSizeUm } from '../../../src/sources/shared/tiff-pixel-size.ts';
import tiffSource from '../../../src/sources/tiff.ts';

const METAMORPH = (units: string, state = 'on'): string =>
  '<MetaData><PlaneInfo>' +
  `<prop id="spatial-calibration-state" type="bool" value="${state}"/>` +
  '<prop id="spatial-calibration-x" type="float" value="0.65"/>' +
  '<prop id="spatial-calibration-y" type="float" value="0.66"/>' +
  `<prop id="spatial-calibration-units" type="string" value="${units}"/>` +
  '</PlaneInfo></MetaData>';

describe('the pixel size of a TIFF', () => {
  it.each<[string, string | undefined, { x: number; y: number } | undefined, unknown]>([
    ['MetaMorph', METAMORPH('um'), undefined, { x: 0.65, y: 0.66 }],
    ['MetaMorph without calibration', METAMORPH('um', 'off'), undefined, undefined],
    ['MetaMorph in pixels', METAMORPH('pixel'), undefined, undefined],
    [
      'OME',
      '<OME><Image><Pixels PhysicalSizeX="0.5" PhysicalSizeY="0.25"/></Image></OME>',
      undefined,
      { x: 0.5, y: 0.25 },
    ],
    [
      'OME in nm',
      '<Pixels PhysicalSizeX="500" PhysicalSizeXUnit="nm" PhysicalSizeY="0.5"/>',
      undefined,
      { x: 0.5, y: 0.5 },
    ],
    ['OME without', '<Pixels SizeX="5"/>', undefined, undefined],
    ['ImageJ', 'ImageJ=1.53t\nunit=\\u00B5m\n', { x: 2, y: 4 }, { x: 0.5, y: 0.25 }],
    ['ImageJ in inches', 'ImageJ=1.53t\nunit=inch\n', { x: 72, y: 72 }, undefined],
    ['ImageJ without resolution', 'ImageJ=1.53t\nunit=micron\n', undefined, undefined],
    ['a print size', undefined, { x: 72, y: 72 }, undefined],
    ['zero', '<Pixels PhysicalSizeX="0" PhysicalSizeY="0"/>', undefined, undefined],
  ])('%s', (_, description, pixelsPerUnit, expected) => {
    expect(tiffPixelSizeUm(description, pixelsPerUnit)).toEqual(expected);
  });

  it.each([
    ['.tif', tiffEncoder],
    ['.ome.tif', omeEncoder],
  ] as const)('comes back from a %s', async (extension, encoder) => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-pixel-size-'));
    try {
      const layout = encoder.layout({
        name: 'a',
        shape: [1, 1, 1, 2, 2],
        dtype: 'uint8',
        pixelSizeUm: { x: 0.325, y: 0.65 },
        channels: [],
      });
      const file = Buffer.alloc(layout.sizeBytes);
      for (const segment of layout.segments(0, layout.sizeBytes)) {
        if (segment.kind === 'bytes') file.set(segment.bytes, segment.offsetBytes);
      }
      const path = join(folder, `a${extension}`);
      writeFileSync(path, file);
      await using source = await tiffSource.openArray(path, new AbortController().signal);
      expect(source.info.pixelSizeUm?.x).toBeCloseTo(0.325, 12);
      expect(source.info.pixelSizeUm?.y).toBeCloseTo(0.65, 12);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
