import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PlateGround } from './plate-mount.ts';

const KILLS = Number(process.env['PLATEFS_KILLS'] ?? 200);
const problem = mountProblem();
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
          // Spread over the new daemon's start and its work.
          await pause((kill * 37) % 150);
          const startMs = performance.now();
          await mount.killDaemon();
          resumeMs.push(performance.now() - startMs);
        }
        const ends = await Promise.all([...writers, watcher].map((client) => client.stop()));
        expect(ends.map(({ stderr }) => stderr)).toEqual(['', '', '']);
        expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);
        for (const name of ['one', 'two']) expect(await ground.check(name)).toMatchObject({ code: 0 });
        await mount.stop();
        mount = await ground.mount();
        for (const name of ['one', 'two']) expect(await ground.check(name)).toMatchObject({ code: 0 });
        resumeMs.sort((a, b) => a - b);
        console.log(
          `${KILLS} kills; ready again after ${resumeMs[KILLS >> 1]?.toFixed(0)} ms (median), ` +
            `${resumeMs.at(-1)?.toFixed(0)} ms (slowest); ${ends.map(({ stdout }) => stdout.trim()).join(' ')}`,
        );
      } finally {
        await ground.remove();
      }
    },
    KILLS * 3000 + 60_000,
  );
});
