import { MAX_WELL_COLUMNS, MAX_WELL_ROWS } from '../../model/well.ts';
import { tiffExtension } from './metaxpress-name.ts';

/**
 * What a Harmony image name says: `r01c01f01p01-ch1sk1fk1fl1.tiff`, in exports of some versions without `sk`,
 * `fk` or `fl`, in archives `r01c01f01p01-ch01t01.tiff`. Letters of either case; numbers padded or not.
 */
export interface HarmonyName {
  /** Counting from 0. */
  readonly row: number;
  readonly column: number;
  /** The instrument's own number of the field, from 1. */
  readonly field: number;
  /** From 1. */
  readonly plane: number;
  readonly channel: number;
  /** Slow kinetic: the time point from 1; absent means 1. */
  readonly slowKinetic: number;
  /** Fast kinetic: the image within a fast series, from 1; absent means 1. */
  readonly fastKinetic: number;
  /** Step of a fluorescence lifetime series, from 1; absent means 1. */
  readonly lifetime: number;
  /** All of `sk`, `fk` and `fl` are there: nobody else writes such names. */
  readonly complete: boolean;
  /** As spelt, with the dot. */
  readonly extension: string;
}

/** Largest field and plane number that can be written in a name of ours. */
export const MAX_HARMONY_NUMBER = 999_999_999;
export const MAX_HARMONY_CHANNEL = 65_535;

const STEM =
  /^r(\d{1,2})c(\d{1,2})f(\d{1,9})p(\d{1,9})-ch(\d{1,5})(?:t(\d{1,9})|(?:sk(\d{1,9}))?(?:fk(\d{1,9}))?(?:fl(\d{1,9}))?)$/i;

/** Reads an image name; undefined when it isn't one, or names a place that no plate has. */
export function parseHarmonyName(name: string): HarmonyName | undefined {
  const extension = tiffExtension(name);
  if (extension === '') return undefined;
  const match = STEM.exec(name.slice(0, -extension.length));
  if (!match) return undefined;
  const [, row, column, field, plane, channel, t, sk, fk, fl] = match;
  const parsed: HarmonyName = {
    row: Number(row) - 1,
    column: Number(column) - 1,
    field: Number(field),
    plane: Number(plane),
    channel: Number(channel),
    slowKinetic: Number(sk ?? t ?? 1),
    fastKinetic: Number(fk ?? 1),
    lifetime: Number(fl ?? 1),
    complete: sk !== undefined && fk !== undefined && fl !== undefined,
    extension,
  };
  const { slowKinetic, fastKinetic, lifetime } = parsed;
  if (parsed.row < 0 || parsed.row >= MAX_WELL_ROWS) return undefined;
  if (parsed.column < 0 || parsed.column >= MAX_WELL_COLUMNS) return undefined;
  if (Math.min(parsed.field, parsed.plane, parsed.channel, slowKinetic, fastKinetic, lifetime) < 1)
    return undefined;
  return parsed.channel <= MAX_HARMONY_CHANNEL ? parsed : undefined;
}

/** `Index.idx.xml`, `Index.xml`, `Index.ref.xml`: the better one first; undefined for any other name. */
export function harmonyIndexRank(name: string): number | undefined {
  const lower = name.toLowerCase();
  const rank = ['index.idx.xml', 'index.xml', 'index.ref.xml'].indexOf(lower);
  return rank < 0 ? undefined : rank;
}

/** True for the namespace of any Harmony schema: V4 and V5 write a URL, V6 and V7 a GUID before the word. */
export const isHarmonyNamespace = (uri: string): boolean => uri.includes('Harmony');

/** Root element of an Index. */
export const HARMONY_ROOT = 'EvaluationInputData';
