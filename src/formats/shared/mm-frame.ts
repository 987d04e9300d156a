import { asObject, type JsonObject } from '../../core/json-text.ts';
import { known, plainText } from '../../core/metadata-values.ts';

/** What Micro-Manager's metadata of one image tells. */
export interface MmFrame {
  readonly channel?: number;
  readonly z?: number;
  readonly t?: number;
  readonly position?: number;
  readonly positionName?: string;
  readonly channelName?: string;
  readonly pixelSizeUm?: number;
  readonly xUm?: number;
  readonly yUm?: number;
  readonly zUm?: number;
  readonly elapsedS?: number;
  /** Name of the image's file, with the position's folder before it at times. */
  readonly fileName?: string;
}

/** What the metadata of a whole acquisition tells. */
export interface MmSummary {
  readonly channelNames: readonly string[];
  readonly pixelSizeUm?: number;
  readonly zStepUm?: number;
  readonly intervalS?: number;
  /** Label of each stage position. */
  readonly positionNames: readonly (string | undefined)[];
  readonly name?: string;
}

/** A number, also one that is written as text, as Micro-Manager 1.3 did, or wrapped in an object, as 2.0 does. */
function number(object: JsonObject, ...names: readonly string[]): number | undefined {
  for (const name of names) {
    const raw = object[name];
    const value = asObject(raw)?.['scalar'] ?? raw;
    const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof parsed === 'number' && Number.isFinite(parsed)) return parsed;
  }
  return undefined;
}

function text(object: JsonObject, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const raw = object[name];
    const value = asObject(raw)?.['scalar'] ?? raw;
    const plain = typeof value === 'string' ? plainText(value) : undefined;
    if (plain !== undefined) return plain;
  }
  return undefined;
}

/** Micro-Manager writes 0 where nobody calibrated the pixel size. */
const positive = (value: number | undefined): number | undefined =>
  value !== undefined && value > 0 ? value : undefined;

const index = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isInteger(value) ? value : undefined;

/** Metadata of an image: keys of 1.4 (https://micro-manager.org/Files_and_Metadata) and of 2.0. */
export function readFrame(object: JsonObject): MmFrame {
  const elapsedMs = number(object, 'ElapsedTime-ms');
  return known({
    channel: index(number(object, 'ChannelIndex')),
    z: index(number(object, 'SliceIndex', 'Slice')),
    t: index(number(object, 'FrameIndex', 'Frame')),
    position: index(number(object, 'PositionIndex')),
    positionName: text(object, 'PositionName'),
    channelName: text(object, 'Channel'),
    pixelSizeUm: positive(number(object, 'PixelSizeUm', 'PixelSize_um')),
    xUm: number(object, 'XPositionUm'),
    yUm: number(object, 'YPositionUm'),
    zUm: number(object, 'ZPositionUm'),
    elapsedS: elapsedMs === undefined ? undefined : elapsedMs / 1e3,
    fileName: text(object, 'FileName'),
  });
}

const MAX_LISTED = 65_536;

function texts(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value
    .slice(0, MAX_LISTED)
    .map((one: unknown) => (typeof one === 'string' ? (plainText(one) ?? '') : ''));
}

/** Summary metadata of an acquisition, 1.4 and 2.0. */
export function readSummary(object: JsonObject): MmSummary {
  const list = object['StagePositions'] ?? object['InitialPositionList'];
  const positions: unknown[] = Array.isArray(list) ? list.slice(0, MAX_LISTED) : [];
  const intervalMs = positive(number(object, 'Interval_ms', 'WaitInterval'));
  return {
    channelNames: texts(object['ChNames']),
    positionNames: positions.map((one) => text(asObject(one) ?? {}, 'Label')),
    ...known({
      pixelSizeUm: positive(number(object, 'PixelSize_um', 'PixelSizeUm')),
      zStepUm: positive(Math.abs(number(object, 'z-step_um') ?? 0)),
      intervalS: intervalMs === undefined ? undefined : intervalMs / 1e3,
      name: text(object, 'Prefix'),
    }),
  };
}
