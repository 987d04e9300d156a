import { BadParameterError } from '../core/errors.ts';
import type { NgffVersion } from './ngff.ts';
import { MAX_LEVELS } from './ngff-levels.ts';

/**
 * What lies in one chunk file of the store that results land in. `file`: one plane. `well`: all planes of one field
 * of a well, encoded together. `sharded`: the same planes, each encoded by itself, in one shard (Zarr v3).
 */
export const CHUNK_STRATEGIES = ['file', 'well', 'sharded'] as const;
export type ChunkStrategy = (typeof CHUNK_STRATEGIES)[number];

/** What the store is laid out for besides OME-NGFF. `openhcs`: OpenHCS finds its planes by their file names. */
export const OUTPUT_LAYOUTS = ['plate', 'openhcs'] as const;
export type OutputLayout = (typeof OUTPUT_LAYOUTS)[number];

export const CODEC_NAMES = ['blosc-lz4', 'lz4', 'zstd', 'gzip', 'none'] as const;
export type CodecName = (typeof CODEC_NAMES)[number];

/** How chunks are compressed. `level` only where the codec has levels. */
export interface ChunkCodec {
  readonly name: CodecName;
  readonly level?: number;
}

/** What was asked for of the store that results land in; what is absent is chosen. */
export interface LandingFormat {
  /** 0.4 (Zarr v2) unless set, 0.5 (Zarr v3) where chunks are sharded. */
  readonly ngff?: NgffVersion;
  /** `file` unless set. */
  readonly chunks?: ChunkStrategy;
  /** `blosc-lz4` unless set. */
  readonly codec?: ChunkCodec;
  /** Resolutions of an image, each half the one before it; `auto`: until the last is small. 1 unless set. */
  readonly levels?: number | 'auto';
  /** `plate` unless set. */
  readonly layout?: OutputLayout;
}

/** Levels of zstd (`ZSTD_maxCLevel`) and of gzip; the preset is that of the programs. */
const LEVELS: Partial<Record<CodecName, { readonly max: number; readonly preset: number }>> = {
  zstd: { max: 22, preset: 3 },
  gzip: { max: 9, preset: 6 },
};

/** Reads `zstd`, `zstd:9`. @throws BadParameterError naming `parameter` and what can be written. */
export function parseChunkCodec(text: string, parameter: string): ChunkCodec {
  const [named = '', level, ...rest] = text.split(':');
  const name = CODEC_NAMES.find((one) => one === named);
  if (name === undefined || rest.length > 0)
    throw new BadParameterError(parameter, `'${text}' is none of ${CODEC_NAMES.join(', ')}`);
  const levels = LEVELS[name];
  if (levels === undefined) {
    if (level === undefined) return { name };
    throw new BadParameterError(parameter, `${name} has no levels; write just ${name}`);
  }
  const number = level === undefined ? levels.preset : Number(level);
  if (level === '' || !Number.isInteger(number) || number < 1 || number > levels.max)
    throw new BadParameterError(parameter, `'${text}': levels of ${name} are 1 to ${levels.max}`);
  return { name, level: number };
}

/** Reads `auto`, `1` … `8`. @throws BadParameterError naming `parameter`. */
export function parseLevels(text: string | number, parameter: string): number | 'auto' {
  if (text === 'auto') return text;
  const count = Number(text);
  if (text !== '' && Number.isInteger(count) && count >= 1 && count <= MAX_LEVELS) return count;
  throw new BadParameterError(
    parameter,
    `'${text}' is no number of levels; write auto, or 1 to ${MAX_LEVELS}`,
  );
}

/** The version that a new store is to follow. */
export const wantedVersion = ({ ngff, chunks }: LandingFormat): NgffVersion =>
  ngff ?? (chunks === 'sharded' ? '0.5' : '0.4');

/** @throws BadParameterError when what was asked for can't be had together. */
export function checkLandingFormat({ ngff, chunks }: LandingFormat): void {
  if (chunks === 'sharded' && ngff === '0.4')
    throw new BadParameterError(
      'output-chunks',
      'sharded needs Zarr v3; leave output-ngff out, or write output-ngff=0.5',
    );
}
