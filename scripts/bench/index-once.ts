/** Indexes the plate folder given, without a cache, and prints the seconds it took, by the clock and of the CPU. */
import { openPlate } from '../../src/tree/open-plate.ts';

const startMs = performance.now();
const before = process.cpuUsage();
const { index } = await openPlate(process.argv[2] ?? '', {
  signal: new AbortController().signal,
  cacheDir: null,
});
const { user, system } = process.cpuUsage(before);
const seconds = (performance.now() - startMs) / 1000;
console.log(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, planes: index.planes.count }));
