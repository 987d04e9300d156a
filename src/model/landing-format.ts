import { BadParameterError } from '../core/errors.ts';
import type { NgffVersion } from './ngff.ts';

/** What lies in one chunk file of the store that results land in. `file`: one plane. */
export const CHUNK_STRATEGIES = ['file'] as const;
export type ChunkStrategy = (typeof CHUNK_STRATEGIES)[number];

export const CODEC_NAMES = ['blosc-lz4', 'lz4', 'zstd', 'gzip', 'none'] as const;
export type CodecName = (typeof CODEC_NAMES)[number];

/** How chunks are compressed. `level` only where the codec has levels. */
export interface ChunkCodec {
  readonly name: CodecName;
  readonly level?: number;
}

/** What was asked for of the store that results land in; what is absent is chosen. */
export interface LandingFormat {
  /** 0.4 (Zarr v2) unless set. */
  readonly ngff?: NgffVersion;
  /** `file` unless set. */
  readonly chunks?: ChunkStrategy;
  /** `blosc-lz4` unless set. */
  readonly codec?: ChunkCodec;
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
