import type { PlateFacts, PlateWarning } from '../../model/plate.ts';
import { fieldStarts } from '../../model/plate-axes.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import type { MetaMorphFacts } from './metamorph-xml.ts';
import { regularStep } from './regular-step.ts';

/** A plane whose TIFF header was read. */
export interface Sample {
  readonly plane: number;
  readonly path: string;
  readonly facts: MetaMorphFacts;
}

/** The samples of the plate's first field. */
export const firstField = (samples: readonly Sample[], index: PlateIndex): Sample[] => {
  const [, end = 0] = fieldStarts(index);
  return samples.filter((sample) => sample.plane < end);
};

/** The pixel size where all samples agree. */
export function pixelSize(
  samples: readonly Sample[],
  warnings: PlateWarning[],
): Pick<PlateFacts, 'pixelSizeUm'> {
  const unknown = samples.find((sample) => sample.facts.unknownUnit !== undefined);
  if (unknown)
    warnings.push({
      kind: 'bad-metadata',
      message: `the pixel size is in '${unknown.facts.unknownUnit}', which is no known unit of length`,
      files: [unknown.path],
      rule: 'the pixel size is left out',
    });
  const sized = samples.filter((sample) => sample.facts.pixelSizeUm);
  const first = sized[0]?.facts.pixelSizeUm;
  if (!first) return {};
  const other = sized.find(
    ({ facts }) => facts.pixelSizeUm?.x !== first.x || facts.pixelSizeUm.y !== first.y,
  );
  if (!other) return { pixelSizeUm: first };
  warnings.push({
    kind: 'contradiction',
    message: `pixel sizes differ: ${first.x} µm in ${sized[0]?.path}, ${other.facts.pixelSizeUm?.x} µm in ${other.path}`,
    files: [sized[0]?.path ?? '', other.path],
    rule: 'the pixel size of the plate is left out',
  });
  return {};
}

/** From the stage's z of one stack's steps; planes that are projections or copies don't count. */
export function zSpacing(samples: readonly Sample[], index: PlateIndex): Pick<PlateFacts, 'zSpacingUm'> {
  const { channels, zs, ts } = index.planes;
  const candidates = firstField(samples, index);
  for (const channel of new Set(candidates.map((sample) => channels[sample.plane] ?? 0))) {
    const stack = candidates.filter(
      ({ plane, facts }) =>
        channels[plane] === channel &&
        ts[plane] === ts[candidates[0]?.plane ?? 0] &&
        (zs[plane] ?? 0) > 0 &&
        facts.projection === undefined &&
        (facts.zStep === undefined || facts.zStep === zs[plane]),
    );
    const points = stack.flatMap(({ plane, facts }) =>
      facts.zPositionUm === undefined ? [] : [{ at: zs[plane] ?? 0, value: facts.zPositionUm }],
    );
    const step = regularStep(points);
    if (step !== undefined) return { zSpacingUm: step };
  }
  return {};
}

/** From the times at which one plane was taken again and again. */
export function timeInterval(
  samples: readonly Sample[],
  index: PlateIndex,
): Pick<PlateFacts, 'timeIntervalS'> {
  const { channels, zs, ts } = index.planes;
  const series = new Map<string, { at: number; value: number }[]>();
  for (const { plane, facts } of firstField(samples, index)) {
    if (facts.acquiredMs === undefined) continue;
    const key = `${channels[plane]}/${zs[plane]}`;
    const points = series.get(key) ?? [];
    points.push({ at: ts[plane] ?? 0, value: facts.acquiredMs / 1e3 });
    series.set(key, points);
  }
  const longest = [...series.values()].reduce((a, b) => (b.length > a.length ? b : a), []);
  const step = regularStep(longest);
  return step === undefined ? {} : { timeIntervalS: step };
}
