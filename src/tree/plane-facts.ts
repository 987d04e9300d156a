import type { PlateIndex } from '../model/plate-index.ts';
import { planeAddress } from '../model/plate-lookup.ts';
import { wellName } from '../model/well.ts';

/** Adds the size of a pixel in µm, where it is known; two numbers where x and y differ. */
export function addPixelSize({ facts: { pixelSizeUm: size } }: PlateIndex, facts: Map<string, string>): void {
  if (size) facts.set('pixel-size-um', size.x === size.y ? String(size.x) : `${size.x} ${size.y}`);
}

/** Adds what is known of a field: well and number. */
export function addFieldFacts(index: PlateIndex, plane: number, facts: Map<string, string>): void {
  const { well, site } = planeAddress(index, plane);
  facts.set('well', wellName(well));
  facts.set('field', String(site));
}

/** Adds what is known of a plane: its address, names and measures. */
export function addPlaneFacts(index: PlateIndex, plane: number, facts: Map<string, string>): void {
  const { planes } = index;
  const { channel, z, t } = planeAddress(index, plane);
  addFieldFacts(index, plane, facts);
  const fieldId = planes.fieldIds[plane] ?? 0;
  if (fieldId !== 0) facts.set('instrument-field', String(fieldId));
  facts.set('channel', String(channel));
  const name = index.facts.channels.find((candidate) => candidate.number === channel)?.name;
  if (name !== undefined) facts.set('channel-name', name);
  facts.set('z', String(z));
  facts.set('t', String(t));
  const told: readonly [string, number | undefined][] = [
    ['x-um', planes.xsUm[plane]],
    ['y-um', planes.ysUm[plane]],
    ['z-um', planes.zsUm[plane]],
    ['elapsed-s', planes.elapsedS[plane]],
  ];
  for (const [fact, value] of told)
    if (value !== undefined && !Number.isNaN(value)) facts.set(fact, String(value));
  const acquiredAtMs = planes.acquiredAtMs[plane] ?? Number.NaN;
  if (!Number.isNaN(acquiredAtMs)) facts.set('acquired', new Date(acquiredAtMs).toISOString());
  addPixelSize(index, facts);
}
