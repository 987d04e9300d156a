import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { callControl } from '../../src/control/control-client.ts';
import { client, eventually, mountProblem, succeed } from './harness.ts';
import { filesBelow, NUCLEI_RULE, PlateGround } from './killable-mount.ts';

const KILLS = Number(process.env['PLATEFS_KILLS'] ?? 16);
const HOOK_KILLS = 6;
const HOOK_INPUTS = 12;
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
          await mount.shootDaemon();
          if (kill % 8 === 6) continue;
          await eventually('somebody is served again', () =>
            writers.some(({ list }, i) => lengthOf(list) > (lengths[i] ?? 0)),
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

  it('while hooks run and results land brings out every result once, and whole', async () => {
    const ground = await PlateGround.make();
    try {
      let mount = await ground.mount({ hooks: [NUCLEI_RULE], budgetBytes: 16 * 2 ** 20 });
      const planes = Object.keys(ground.planes).slice(0, 4);
      const at = (...parts: string[]): string => join(ground.mountpoint, ...parts);
      const writer = ground.write('work', 3);
      let flushing = true;
      const flushes = (async (): Promise<number> => {
        let done = 0;
        while (flushing) {
          try {
            await callControl(join(ground.folder, 'socket'), 'flush');
            done++;
          } catch {
            // The daemon is dead, or not yet up.
          }
          await pause(50);
        }
        return done;
      })();
      const inputs = Array.from({ length: HOOK_INPUTS }, (_, i) => `in${i}`);
      const copies = (async (): Promise<void> => {
        await succeed('mkdir', [at('inbox')]);
        for (const [i, name] of inputs.entries())
          await succeed('cp', [at('images', planes[i % planes.length] ?? ''), at('inbox', `${name}.tif`)]);
      })();
      for (let kill = 0; kill < HOOK_KILLS; kill++) {
        await pause(200 + ((kill * 97) % 500));
        await mount.shootDaemon();
      }
      await copies;
      await eventually('every result is there', async () => {
        const { stdout } = await client('ls', [at('results')]);
        return stdout.trim().split('\n').length >= 2 * inputs.length;
      });
      flushing = false;
      await flushes;
      expect(await writer.stop(), mount.output.slice(-3000)).toMatchObject({ code: 0, stderr: '' });
      const compare = async (): Promise<void> => {
        const names = inputs.flatMap((name) => [`${name}_labels.tif`, `${name}_objects.csv`]);
        expect((await succeed('ls', [at('results')])).trim().split('\n').sort()).toEqual(names.toSorted());
        const sums = (
          await succeed(
            'sha256sum',
            names.map((name) => at('results', name)),
          )
        )
          .trim()
          .split('\n')
          .map((line) => line.slice(0, 64));
        // The same plane gives the same results, whatever died meanwhile.
        for (const [i, sum] of sums.entries()) expect(sum).toBe(sums[i % (2 * planes.length)]);
        expect(new Set(sums).size).toBe(2 * planes.length);
        expect(await ground.check('work')).toMatchObject({ code: 0 });
      };
      await compare();
      expect(await mount.stop(), mount.output.slice(-3000)).toBe(0);
      const landed = filesBelow(ground.output).filter((path) => path.endsWith('_objects.csv'));
      expect(landed.sort()).toEqual(inputs.map((name) => `results/${name}_objects.csv`).sort());
      mount = await ground.mount();
      await compare();
    } finally {
      await ground.remove();
    }
  });
});
