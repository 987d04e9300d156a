/** Indexes the plate folder given, without a cache, and prints the seconds it took. */
import { openPlate } from '../../src/tree/open-plate.ts';

const startMs = performance.now();
await openPlate(process.argv[2] ?? '', { signal: new AbortController().signal, cacheDir: null });
console.log((performance.now() - startMs) / 1000);
