import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { mappedCode } from '../../../src/memory/spent-memory.ts';

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
    { encoding: 'utf8', timeout: 200_000 },
  );
  expect(stderr).toBe('');
  const { full, rest, spent, gc } = JSON.parse(stdout);
  expect(spent).toBe(2_000_000);
  expect(full - rest).toBeGreaterThan(30 * 2 ** 20);
  expect(gc).toBe('undefined');
});

it('code that was run for starting is mapped only where it runs on', () => {
  const script = `
const { unmapSpentCode } = await import(${JSON.stringify(MODULE)});
const { readFileSync } = await import('node:fs');
const codeKb = () => Number(/^RssFile:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
const sum = () => [3, 1, 2].toSorted().join() + new Intl.NumberFormat('en').format(1e6) + /(a+)b/.exec('caab')[1];
const before = [sum(), codeKb()];
await unmapSpentCode();
const rest = codeKb();
console.log(JSON.stringify({ before, rest, after: sum() }));`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script],
    { encoding: 'utf8', timeout: 200_000 },
  );
  expect(stderr).toBe('');
  const { before, rest, after } = JSON.parse(stdout) as {
    before: [string, number];
    rest: number;
    after: string;
  };
  expect(after).toBe(before[0]);
  expect(rest).toBeLessThan(before[1] * 0.75);
});

it('only mappings that hold exactly what their files do are code that may be mapped again', () => {
  const entry = (head: string, anonymousKb: number): string =>
    `${head}\nSize: 4096 kB\nRss: 100 kB\nAnonymous:           ${anonymousKb} kB\nVmFlags: rd ex\n`;
  const file = '00000000 fe:00 12345                      /usr/bin/node';
  const smaps = [
    entry(`00400000-00800000 r-xp ${file}`, 0),
    entry(`00800000-00c00000 r--p ${file}`, 0),
    // Relocated when it was loaded; written; shared; of another file or none.
    entry(`00c00000-01000000 r--p ${file}`, 8),
    entry(`01000000-01400000 rw-p ${file}`, 0),
    entry(`01400000-01800000 r--s ${file}`, 0),
    entry('01800000-01c00000 r-xp 00000000 fe:00 777                        /usr/lib/libc.so.6', 0),
    entry('02000000-02400000 r-xp 00000000 00:00 0 ', 0),
    entry('7ffff7fc1000-7ffff80c3000 r-xp 00000000 00:00 0                          [vdso]', 0),
  ].join('');
  expect(mappedCode(smaps, '/usr/bin/node')).toEqual([
    { address: 0x40_0000n, sizeBytes: 0x40_0000 },
    { address: 0x80_0000n, sizeBytes: 0x40_0000 },
  ]);
});
