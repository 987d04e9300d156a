import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const MODULE = resolve(import.meta.dirname, '../../../src/memory/spent-memory.ts');
/** In a process of its own, whose memory nothing else changes. */
const SCRIPT = `
const { giveBackSpentMemory } = await import(${JSON.stringify(MODULE)});
let spent = Array.from({ length: 2_000_000 }, (_, i) => ({ i }));
const full = process.memoryUsage.rss();
spent = spent.length;
await giveBackSpentMemory();
console.log(JSON.stringify({ full, rest: process.memoryUsage.rss(), spent, gc: typeof gc }));`;

it('what work took is given back to the system', () => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', SCRIPT],
    { encoding: 'utf8', timeout: 60_000 },
  );
  expect(stderr).toBe('');
  const { full, rest, spent, gc } = JSON.parse(stdout);
  expect(spent).toBe(2_000_000);
  expect(full - rest).toBeGreaterThan(30 * 2 ** 20);
  expect(gc).toBe('undefined');
});
