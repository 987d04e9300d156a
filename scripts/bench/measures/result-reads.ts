import type { Bench } from '../bench.ts';
import { runScript } from '../child.ts';
import { compare, type Row } from '../figure.ts';

interface Reads {
  readonly planeMs: readonly number[];
  readonly planeBytes: readonly number[];
  readonly fieldMbPerS: readonly number[];
}

/** Reading results that lie in shards, against single files and against chunks of whole fields. */
export function resultReads(bench: Bench): Row[] {
  const rounds = String(Math.max(5, bench.options.rounds));
  const args = [bench.newFolder('result-reads'), rounds];
  const { file, well, sharded } = runScript('read-results.ts', args) as Record<string, Reads | undefined>;
  if (!file || !well || !sharded) throw new Error('a chunk strategy was not read');
  return [
    compare({
      measure: 'one 1024 × 1024 plane out of a shard',
      unit: 'ms',
      sense: 'less',
      ours: sharded.planeMs,
      reference: { name: 'out of its own file', values: file.planeMs },
      paired: true,
      bar: '≤ 1.2',
      isMet: (_, ratio) => ratio <= 1.2,
    }),
    compare({
      measure: 'bytes read for one plane out of a shard',
      unit: 'B',
      sense: 'less',
      ours: sharded.planeBytes,
      reference: { name: 'out of its own file', values: file.planeBytes },
      bar: '≤ 1.2',
      isMet: (_, ratio) => ratio <= 1.2,
    }),
    compare({
      measure: 'a whole field of 24 planes out of a shard',
      unit: 'MB/s',
      sense: 'more',
      ours: sharded.fieldMbPerS,
      reference: { name: 'out of one chunk', values: well.fieldMbPerS },
      paired: true,
      bar: '≥ 0.8',
      isMet: (_, ratio) => ratio >= 0.8,
    }),
  ];
}
