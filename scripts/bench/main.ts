/**
 * The figures PlateFS is held to, each against something measured in the same run: JSON lines on standard output,
 * then a table.
 *
 *   npm run bench -- [--only NAME]… [--rounds N] [--quick] [--full] [--folder DIR]
 *
 * Cold rows need root, who alone may drop the kernel's caches; passthrough needs root too.
 */
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { Bench, type Measure } from './bench.ts';
import { type Row, table } from './figure.ts';
import { arrayAccess, compressedArrays, plainArrays } from './measures/array-reads.ts';
import { arrivals } from './measures/arrivals.ts';
import { durability } from './measures/durability.ts';
import { harmonyIndexing } from './measures/harmony.ts';
import { indexMemory } from './measures/index-memory.ts';
import { indexing, remounting } from './measures/indexing.ts';
import { largePlate } from './measures/large-plate.ts';
import { listing } from './measures/listing.ts';
import { loadData } from './measures/load-data.ts';
import { memory } from './measures/memory.ts';
import { notPassedThrough, passedThrough } from './measures/plane-reads.ts';
import { compressedStack, firstByte, randomWindow, secondRead } from './measures/rendered-reads.ts';
import { resultReads } from './measures/result-reads.ts';
import { largeScans, scanMemory } from './measures/scans.ts';
import { stackReads } from './measures/stack-reads.ts';
import { unmounting } from './measures/unmounting.ts';
import { materializing, writing } from './measures/writes.ts';
import { canDropCaches } from './page-cache.ts';

const MEASURES: Readonly<Record<string, Measure>> = {
  passthrough: passedThrough,
  'no-passthrough': notPassedThrough,
  listing,
  indexing,
  remount: remounting,
  harmony: harmonyIndexing,
  'large-plate': largePlate,
  'load-data': loadData,
  arrivals,
  stacks: stackReads,
  'lzw-stack': compressedStack,
  'first-byte': firstByte,
  'random-window': randomWindow,
  'plain-arrays': plainArrays,
  'compressed-arrays': compressedArrays,
  'array-access': arrayAccess,
  'second-read': secondRead,
  'scan-rss': scanMemory,
  'scan-100gb': largeScans,
  writes: writing,
  materialize: materializing,
  unmount: unmounting,
  durability,
  'result-reads': resultReads,
  memory,
  'index-memory': indexMemory,
};
const DEFAULT_ROUNDS = 5;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    folder: { type: 'string' },
  },
});
const names = values.only?.flatMap((text) => text.split(',')) ?? Object.keys(MEASURES);
const unknown = names.find((name) => !(name in MEASURES));
if (unknown !== undefined) {
  console.error(`there is no measure '${unknown}'; there are: ${Object.keys(MEASURES).join(', ')}`);
  process.exit(2);
}
const rounds = Number(values.rounds ?? (values.quick ? 2 : DEFAULT_ROUNDS));
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error('--rounds must be a whole number above 0');
  process.exit(2);
}

const load = (): string => (loadavg()[0] ?? 0).toFixed(1);
const rows: Row[] = [];
if (!canDropCaches) console.error('not root: caches are not dropped, nothing is passed through');
if (values.quick) console.error('--quick: small plates; these figures are not to be quoted');
using bench = new Bench({ rounds, quick: values.quick, full: values.full, disk: values.folder ?? tmpdir() });
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    bench[Symbol.dispose]();
    process.exit(1);
  });
}
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, Linux ${release()}, Node ${process.version}`;
for (const name of names) {
  console.error(`${name} …`);
  const loadBefore = load();
  let measured: Row[];
  try {
    measured = (await MEASURES[name]?.(bench)) ?? [];
  } catch (error) {
    process.exitCode = 1;
    measured = [{ measure: name, skipped: error instanceof Error ? error.message : String(error) }];
  }
  for (const row of measured) console.log(JSON.stringify({ ...row, loadBefore, loadAfter: load() }));
  rows.push(...measured);
}
console.log(`\n${machine}\n${table(rows)}`);
