import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type FailingCall, failingStorage, storage, useStorage } from '../../src/core/storage.ts';
import type { LandingFormat } from '../../src/model/landing-format.ts';
import { smallTiff, tiffStack } from '../interop/landing/small-tiff.ts';
import { LandingMount } from './landing-mount.ts';

/** Every how many calls one fails, and the first: 1 and 0 try them all (npm run soak:landing-faults). */
const STRIDE = Number(process.env['PLATEFS_FAULT_STRIDE'] ?? 61);

const FORMATS: readonly LandingFormat[] = [
  {},
  { chunks: 'sharded', levels: 2 },
  { chunks: 'well', ngff: '0.5', codec: { name: 'zstd', level: 1 } },
];

/** `KILL`: that call and all later ones fail, until another daemon begins. */
const FAULTS = ['EIO', 'ENOSPC', 'SHORT', 'KILL'] as const;
type Fault = (typeof FAULTS)[number];

const plane = (well: string, channel: number, t: number): string =>
  `out/${well}_s001_w${channel}_z001_t00${t}.tif`;
const image = (seed: number): Buffer => smallTiff(12, 10, seed);

const STEPS: readonly ((mount: LandingMount) => Promise<void>)[] = [
  (mount) =>
    mount.write(
      new Map([
        [plane('A01', 1, 1), image(1)],
        [plane('A01', 2, 1), image(2)],
        [plane('B02', 1, 1), image(3)],
        ['stack.tif', tiffStack(6, 5, 3)],
        ['tables/notes.csv', Buffer.from('a,b\n1,2\n')],
        ['log.txt', Buffer.from('begun')],
      ]),
    ),
  (mount) =>
    mount.write(
      new Map([
        [plane('A01', 2, 1), image(5)],
        [plane('A01', 1, 2), image(6)],
        ['stack.tif', tiffStack(7, 5, 2)],
        ['tables/notes.csv', Buffer.from('a,b\n3,4\n5,6\n')],
      ]),
    ),
  (mount) => mount.rename(plane('A01', 1, 1), plane('B02', 2, 1)),
  (mount) => mount.rename('tables/notes.csv', 'kept/notes.csv'),
  (mount) => mount.rename('log.txt', 'kept/log.txt'),
  (mount) => mount.delete(plane('A01', 1, 2), 'stack.tif'),
];

/** Fails the nth call on the output folder, counted from 0. */
class FailingOutput {
  calls: FailingCall[] = [];
  readonly #nth: number;
  readonly #fault: Fault;
  #isOver = false;

  constructor(nth: number, fault: Fault) {
    this.#nth = nth;
    this.#fault = fault;
    // What the disk does when it syncs is not looked at here: nothing else writes to it.
    const disk = { ...storage, syncFileSystem: () => true };
    useStorage(failingStorage(disk, (call, path) => this.#strike(call, path)));
  }

  /** Nothing fails from here on. */
  end(): void {
    this.#isOver = true;
  }

  #strike(call: FailingCall, path: () => string): string | undefined {
    if (this.#isOver || !path().includes('/out')) return undefined;
    const at = this.calls.push(call) - 1;
    if (this.#fault === 'KILL') return at >= this.#nth ? 'EIO' : undefined;
    return at === this.#nth ? this.#fault : undefined;
  }
}

/** @returns the calls that were made while any could fail. */
async function history(format: LandingFormat, nth: number, fault: Fault): Promise<FailingCall[]> {
  const folder = mkdtempSync(join(tmpdir(), 'platefs-faults-'));
  const failing = new FailingOutput(nth, fault);
  try {
    const mount = new LandingMount(folder);
    await mount.open(format);
    for (const step of STEPS) {
      await step(mount);
      mount.check();
    }
    failing.end();
    await mount.close();
    await mount.open(format);
    // Files that have each other's places move out of the way first.
    for (let round = 0; round < 3 && mount.unsettled.length > 0; round++) {
      await mount.land();
      mount.check();
    }
    expect(mount.unsettled).toEqual([]);
    if (nth === Number.POSITIVE_INFINITY) expect(mount.leftovers).toEqual([]);
    await mount.close();
    return failing.calls;
  } finally {
    useStorage(undefined);
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('a disk that fails at any call of a landing', () => {
  it.each(FORMATS.map((format, number) => [JSON.stringify(format), format, number] as const))(
    'takes nothing: the store stays valid, what has landed reads exactly, what failed lands later: %s',
    async (_, format, number) => {
      const calls = await history(format, Number.POSITIVE_INFINITY, 'EIO');
      expect(new Set(calls)).toEqual(
        new Set<FailingCall>([
          ...(['open', 'write', 'truncate', 'syncFileSystem', 'makeFolder', 'link', 'rename'] as const),
          ...(['remove', 'removeTree'] as const),
        ]),
      );
      const wrong: string[] = [];
      for (let nth = (number * 7) % STRIDE, turn = number; nth < calls.length; nth += STRIDE, turn++)
        for (const fault of STRIDE === 1 ? FAULTS : [FAULTS[turn % FAULTS.length] ?? 'EIO'])
          await history(format, nth, fault).catch((error) =>
            wrong.push(`${fault} at call ${nth} (${calls[nth]}): ${error}`),
          );
      expect(wrong).toEqual([]);
    },
    600_000,
  );
});
