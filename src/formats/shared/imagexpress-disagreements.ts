import type { PlateWarning } from '../../model/plate.ts';
import { plateAxes } from '../../model/plate-axes.ts';
import type { PlateIndex } from '../../model/plate-index.ts';
import { planeAddress, planeName } from '../../model/plate-lookup.ts';
import { wellName } from '../../model/well.ts';
import { firstField, type Sample } from './imagexpress-measures.ts';

/** Contradicting images told one by one. */
const MAX_CONTRADICTIONS = 8;
const NAMES_DECIDE = 'the names of file and folder decide, as only a few TIFF headers are read';

/** True when a plane shown at z ≥ 1 is a projection or another step's plane by its own TIFF. */
function isForeignStep({ plane, facts }: Sample, index: PlateIndex): boolean {
  const z = index.planes.zs[plane] ?? 0;
  return (z > 0 && facts.projection !== undefined) || (facts.zStep !== undefined && facts.zStep !== z);
}

/** Steps filled by the exporter: several z of one field and channel that say the same step or projection. */
function copiedChannels(samples: readonly Sample[], index: PlateIndex): Map<number, Sample[]> {
  const copied = new Map<number, Sample[]>();
  const { channels, zs } = index.planes;
  for (const sample of firstField(samples, index)) {
    const channel = channels[sample.plane] ?? 0;
    const twins = firstField(samples, index).filter(
      (other) =>
        channels[other.plane] === channel &&
        zs[other.plane] !== zs[sample.plane] &&
        other.facts.zStep === sample.facts.zStep &&
        other.facts.projection === sample.facts.projection &&
        other.facts.acquiredMs === sample.facts.acquiredMs &&
        (other.facts.zStep !== undefined || other.facts.projection !== undefined),
    );
    if (twins.length === 0) continue;
    copied.set(channel, [...(copied.get(channel) ?? []), sample]);
  }
  return copied;
}

/** Channels whose steps the exporter filled with copies of one plane. */
export function exporterCopies(samples: readonly Sample[], index: PlateIndex): PlateWarning[] {
  return [...copiedChannels(samples, index)].map(([channel, copies]) => {
    const { projection, zStep } = copies[0]?.facts ?? {};
    const what = projection === undefined ? `the plane of z step ${zStep}` : `the ${projection} projection`;
    return {
      kind: 'exporter-copy',
      message: `w${channel} was not acquired at every z: the exporter filled z ${copies
        .map(({ plane }) => index.planes.zs[plane] ?? 0)
        .sort((a, b) => a - b)
        .join(', ')} with copies of ${what}`,
      files: copies.map(({ path }) => path),
      rule: 'each copy keeps the name of the folder it lies in',
    };
  });
}

/** Channels whose planes without a z folder are projections by their own TIFF. */
export function projectionsInPlace(samples: readonly Sample[], index: PlateIndex): Map<number, string> {
  const projections = new Map<number, string>();
  for (const { plane, facts } of samples)
    if (facts.projection !== undefined && (index.planes.zs[plane] ?? 0) > 0)
      projections.set(index.planes.channels[plane] ?? 0, facts.projection);
  return projections;
}

/** Images whose own metadata says another well, site, time point or step than their name. */
export function contradictions(samples: readonly Sample[], index: PlateIndex): PlateWarning[] {
  const copied = copiedChannels(samples, index);
  const stepped = plateAxes(index).zs.length > 1;
  const warnings: PlateWarning[] = [];
  for (const sample of samples) {
    const { well, site, channel, z, t } = planeAddress(index, sample.plane);
    const { facts } = sample;
    const differences: string[] = [];
    if (facts.well && (facts.well.row !== well.row || facts.well.column !== well.column))
      differences.push(`well ${wellName(facts.well)}`);
    if (facts.site !== undefined && facts.site !== site) differences.push(`site ${facts.site}`);
    if (facts.timePoint !== undefined && facts.timePoint !== t)
      differences.push(`time point ${facts.timePoint}`);
    if (stepped && !copied.has(channel) && z > 0 && isForeignStep(sample, index))
      differences.push(
        facts.projection === undefined ? `z step ${facts.zStep}` : `${facts.projection} projection`,
      );
    if (differences.length === 0) continue;
    warnings.push({
      kind: 'contradiction',
      message: `${sample.path} says ${differences.join(', ')} in its own metadata; it is shown as ${planeName(index, sample.plane)}`,
      files: [sample.path],
      rule: NAMES_DECIDE,
    });
  }
  const rest = warnings.slice(MAX_CONTRADICTIONS);
  if (rest.length === 0) return warnings;
  return [
    ...warnings.slice(0, MAX_CONTRADICTIONS),
    {
      kind: 'contradiction',
      message: `${rest.length} more of the ${samples.length} images looked at contradict their names`,
      files: rest.flatMap(({ files }) => files),
      rule: NAMES_DECIDE,
    },
  ];
}
