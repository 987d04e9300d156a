import { describe, expect, it } from 'vitest';
import omeTiff from '../../../src/encoders/ome-tiff.ts';
import { omeXml, xmlAttribute } from '../../../src/encoders/shared/ome-xml.ts';
import { encoderConformance, imageOf } from '../../conformance/encoders.ts';

encoderConformance(omeTiff, {
  takes: ['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'float32', 'float64'],
  widens: ['float16'],
  refuses: ['uint64', 'int64'],
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

  it('says when and where planes were acquired, in a room that does not depend on it', () => {
    const image = imageOf([2, 1, 1, 4, 5], 'uint16', {
      acquiredAtMs: Date.UTC(2026, 1, 3, 4, 5, 6, 789),
      channels: [{ color: 'FF8000', excitationNm: 488 }],
    });
    const text = omeXml(image, (t) =>
      t === 1 ? { elapsedS: 30.5, xUm: -1.25, zUm: Number.NaN } : undefined,
    );
    expect(text).toContain('<AcquisitionDate>2026-02-03T04:05:06.789</AcquisitionDate><Pixels ');
    expect(text).toContain('ExcitationWavelength="488" ExcitationWavelengthUnit="nm"');
    expect(text).toContain(`Color="${0xff8000ff | 0}"`);
    expect(text).toContain(
      '<Plane TheZ="0" TheT="1" TheC="0" DeltaT="30.5" DeltaTUnit="s" PositionX="-1.25" PositionXUnit="µm"/>',
    );
    expect(text.match(/<Plane /g)).toHaveLength(1);
    const known = {
      elapsedS: -1.23456789012e-100,
      xUm: -1.23456789012e-100,
      yUm: -1.23456789012e-100,
      zUm: -1.23456789012e-100,
    };
    const longest = omeXml(image, () => known);
    const none = omeXml(image, () => undefined);
    for (const other of [longest, none, omeXml(image, 'blank')])
      expect(Buffer.byteLength(other)).toBe(Buffer.byteLength(text));
    const layout = omeTiff.layout(image, () => known);
    expect(layout.sizeBytes).toBe(omeTiff.layout(image, () => undefined).sizeBytes);
    const [front] = layout.segments(0, 1);
    expect(
      front?.kind === 'bytes' && Buffer.from(front.bytes).includes('PositionZ="-1.23456789012e-100"'),
    ).toBe(true);
  });

  it('holds float64, as float32 only where told', () => {
    const image = imageOf([1, 1, 1, 4, 5], 'float64');
    expect(omeTiff.layout(image).shownDtype).toBeUndefined();
    const rounded = omeTiff.layout({ ...image, float64As: 'float32' });
    expect(rounded.shownDtype).toBe('float32');
    expect(rounded.sizeBytes).toBe(omeTiff.layout(imageOf([1, 1, 1, 4, 5], 'float32')).sizeBytes);
  });
});
