import { statSync } from 'node:fs';
import type { Bench } from '../bench.ts';
import { timeIndexing, timeProgram } from '../child.ts';
import { compare, median, type Row } from '../figure.ts';
import { HARMONY_WELL_PLANES, makeHarmonyExport } from '../harmony-export.ts';

const PLANES = 120_000;
const QUICK_PLANES = 4 * HARMONY_WELL_PLANES;
/** A parser in C that is given handlers which do nothing: what it takes to read that much XML at all. */
const EXPAT = `
import sys, xml.parsers.expat as e
p = e.ParserCreate()
p.StartElementHandler = lambda name, attributes: None
p.CharacterDataHandler = lambda text: None
p.ParseFile(open(sys.argv[1], 'rb'))`;

/** Indexing a Harmony export, whose planes are all described in one XML file, and one of twice as many planes. */
export function harmonyIndexing(bench: Bench): Row[] {
  const planes = bench.options.quick ? QUICK_PLANES : PLANES;
  const folder = bench.newFolder('harmony');
  const doubled = bench.newFolder('harmony-doubled');
  const xml = makeHarmonyExport(folder, planes);
  makeHarmonyExport(doubled, 2 * planes);
  const ours: number[] = [];
  const cpu: number[] = [];
  const twice: number[] = [];
  const expat: number[] = [];
  for (let round = 0; round < Math.max(3, bench.options.rounds); round++) {
    const run = timeIndexing(folder, planes);
    ours.push(run.seconds);
    cpu.push(run.cpuSeconds);
    twice.push(timeIndexing(doubled, 2 * planes).seconds);
    expat.push(timeProgram('python3', ['-c', EXPAT, xml]));
  }
  const megabytes = Math.round(statSync(xml).size / 1e6);
  return [
    compare({
      measure: `Harmony index of ${planes} planes (${megabytes} MB of XML)`,
      unit: 's',
      sense: 'less',
      ours,
      reference: { name: 'expat reads the XML', values: expat },
      bar: '≤ 3 s',
      isMet: (figure) => figure <= 3,
      note: `${median(cpu).toFixed(2)} s of CPU`,
    }),
    compare({
      measure: `Harmony index of ${2 * planes} planes`,
      unit: 's',
      sense: 'less',
      ours: twice,
      reference: { name: 'half as many planes', values: ours },
      paired: true,
      bar: '≤ 2.2',
      isMet: (_, ratio) => ratio <= 2.2,
    }),
  ];
}
