import { statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eventually, mountProblem } from './harness.ts';
import { PlateGround } from './killable-mount.ts';

const KILLS = Number(process.env['PLATEFS_KILLS'] ?? 200);
const problem = mountProblem();
const lengthOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

describe.skipIf(problem !== undefined)('a daemon that is killed', () => {
  it(
    'is not missed: no client sees an error, and everything acknowledged is there',
    async () => {
      const ground = await PlateGround.make();
      try {
        let mount = await ground.mount();
        const writers = [ground.write('one', 1), ground.write('two', 2)];
        const watcher = ground.watch();
        const resumeMs: number[] = [];
        for (let kill = 0; kill < KILLS; kill++) {
          // Some daemons die before they are up, most at work.
          if (kill % 8 === 7) await pause((kill * 37) % 400);
          else await pause((kill * 37) % 120);
          const startMs = performance.now();
          const lengths = writers.map(({ list }) => lengthOf(list));
          process.kill(await mount.daemonPid(), 'SIGKILL');
          if (kill % 8 === 6) continue;
          await eventually(
            'somebody is served again',
            () => writers.some(({ list }, i) => lengthOf(list) > (lengths[i] ?? 0)),
            30_000,
          );
          resumeMs.push(performance.now() - startMs);
        }
        const ends = await Promise.all([...writers, watcher].map((client) => client.stop()));
        expect(
          ends.map(({ stderr }) => stderr),
          mount.output.slice(-5000),
        ).toEqual(['', '', '']);
        expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);
        for (const name of ['one', 'two']) expect(await ground.check(name)).toMatchObject({ code: 0 });
        await mount.stop();
        mount = await ground.mount();
        for (const name of ['one', 'two']) expect(await ground.check(name)).toMatchObject({ code: 0 });
        resumeMs.sort((a, b) => a - b);
        console.log(
          `${KILLS} kills; served again after ${resumeMs[resumeMs.length >> 1]?.toFixed(0)} ms (median), ` +
            `${resumeMs.at(-1)?.toFixed(0)} ms (slowest); ${ends.map(({ stdout }) => stdout.trim()).join(' ')}`,
        );
      } finally {
        await ground.remove();
      }
    },
    KILLS * 3000 + 60_000,
  );
});
