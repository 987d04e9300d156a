import { parseWellName, type WellPosition, wellName } from './well.ts';

/**
 * Where a plane lies on a plate. `well` counts from 0; `site`, `channel`, `z` and `t` count from 1, and
 * `z` 0 is a projection.
 */
export interface PlaneAddress {
  readonly well: WellPosition;
  readonly site: number;
  readonly channel: number;
  readonly z: number;
  readonly t: number;
}

const pad3 = (value: number): string =>
  value < 10 ? `00${value}` : value < 100 ? `0${value}` : String(value);

/** `A01_s001` */
export function fieldName(well: WellPosition, site: number): string {
  return `${wellName(well)}_s${pad3(site)}`;
}

/** The canonical flat name without extension: `A01_s001_w1_z001_t001`. */
export function planeStem(address: PlaneAddress): string {
  const { well, site, channel, z, t } = address;
  return `${fieldName(well, site)}_w${channel}_z${pad3(z)}_t${pad3(t)}`;
}

const CANONICAL = /^([A-Z]{1,2}\d{2})_s(\d{3,})_w(\d+)_z(\d{3,})_t(\d{3,})(.*)$/;

/**
 * The inverse of {@link planeStem}: address and whatever follows it (suffix and extension). Only the spelling
 * that {@link planeStem} writes is accepted, so name → address → name is the identity.
 */
export function parsePlaneName(name: string): { address: PlaneAddress; rest: string } | undefined {
  const match = CANONICAL.exec(name);
  if (!match) return undefined;
  const [, wellText = '', site = '', channel = '', z = '', t = '', rest = ''] = match;
  const well = parseWellName(wellText);
  if (!well) return undefined;
  const address = {
    well,
    site: Number(site),
    channel: Number(channel),
    z: Number(z),
    t: Number(t),
  };
  return planeStem(address) + rest === name ? { address, rest } : undefined;
}
