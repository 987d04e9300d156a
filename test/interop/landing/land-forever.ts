/**
 * Child of kill.test.ts: lands the files of argv[2] into argv[3] in the format of argv[4] and prints the landings as one JSON line. It is
 * killed at random.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Materializer } from '../../../src/materializer/materializer.ts';
import { sealed } from './small-tiff.ts';

const [, , input = '', output = '', format = '{}'] = process.argv;
const never = new AbortController().signal;
const materializer = await Materializer.open(
  { outputDir: output, workers: 1, format: JSON.parse(format) },
  never,
);
const files = readdirSync(input)
  .toSorted()
  .map((name, index) => sealed(join(input, name), `images/${name}`, index + 1));
process.stdout.write('landing\n');
const results: unknown[] = [];
// Small batches, so that the fields grow again and again.
for (let start = 0; start < files.length; start += 6) {
  results.push(...(await materializer.land(files.slice(start, start + 6), never)));
}
process.stdout.write(`${JSON.stringify(results)}\n`);
await materializer.close();
