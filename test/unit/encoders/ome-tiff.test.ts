import { describe, expect, it } from 'vitest';
import omeTiff from '../../../src/encoders/ome-tiff.ts';
import { omeXml, xmlAttribute } from '../../../src/encoders/shared/ome-xml.ts';
import { encoderConformance, imageOf } from '../../conformance/encoders.ts';

encoderConformance(omeTiff, {
  takes: ['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'float32'],
  refuses: ['uint64', 'int64', 'float16', 'float64'],
});

const versionOf = (layout: ReturnType<typeof omeTiff.layout>): number => {
  const [front] = layout.segments(0, 8);
  return front?.kind === 'bytes' ? (front.bytes[2] ?? 0) : 0;
};

describe('OME-TIFF', () => {
  it('is classic below 4 GiB and BigTIFF from there on', () => {
    expect(versionOf(omeTiff.layout(imageOf([1, 1, 127, 4096, 4096], 'uint16')))).toBe(42);
    expect(versionOf(omeTiff.layout(imageOf([1, 1, 128, 4096, 4096], 'uint16')))).toBe(43);
    const huge = omeTiff.layout(
      imageOf([10, 4, 100, 2048, 2048], 'uint16', { pixelSizeUm: { x: 0.5, y: 0.5 } }),
    );
    expect(huge.sizeBytes).toBeGreaterThan(4000 * 2048 * 2048 * 2);
    expect(huge.segments(huge.sizeBytes - 1, 1)).toEqual([
      {
        kind: 'pixels',
        offsetBytes: huge.sizeBytes - 2048 * 2048 * 2,
        sizeBytes: 2048 * 2048 * 2,
        region: { start: [9, 3, 99, 0, 0], shape: [1, 1, 1, 2048, 2048] },
      },
    ]);
  });

  it('escapes names and replaces what XML cannot hold', () => {
    expect(xmlAttribute('a<b>&"c"\n\u0000\ud800é')).toBe('a&lt;b&gt;&amp;&quot;c&quot;&#10;\ufffd\ufffdé');
  });

  it('says what is known and nothing else', () => {
    const bare = omeXml(imageOf([1, 2, 1, 4, 5], 'float32'));
    expect(bare).not.toMatch(/Physical|TimeIncrement|Emission|Name="ch/);
    expect(bare).toContain('Type="float"');
    expect(bare.match(/<Channel /g)).toHaveLength(2);
    const full = omeXml(
      imageOf([2, 1, 3, 4, 5], 'uint16', {
        pixelSizeUm: { x: 0.65, y: 0.5 },
        zSpacingUm: 2,
        timeIntervalS: 30,
        channels: [{ name: 'DAPI', emissionNm: 461 }],
      }),
    );
    for (const text of [
      'PhysicalSizeX="0.65" PhysicalSizeXUnit="µm"',
      'PhysicalSizeY="0.5"',
      'PhysicalSizeZ="2"',
      'TimeIncrement="30" TimeIncrementUnit="s"',
      'Name="DAPI"',
      'EmissionWavelength="461"',
    ]) {
      expect(full).toContain(text);
    }
    expect(full.endsWith('</OME>')).toBe(true);
  });
});
