import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { budgetOf } from '../../../src/memory/budget.ts';
import { decodedLimitBytes, type MemoryUse, planReclaim } from '../../../src/memory/reclaim-ladder.ts';
import { Reclaimer } from '../../../src/memory/reclaimer.ts';

const CALM = { isUnderPressure: false, cacheShare: 1 };
const TIGHT = { isUnderPressure: true, cacheShare: 0.5 };
/** Marks at 400 and 640; decoded pixels may take 200. */
const TOTAL = 800;
const budget = budgetOf(TOTAL);

const use = (given: Partial<MemoryUse>): MemoryUse => ({
  decodedLimitBytes: 200,
  landableBytes: 0,
  stuckBytes: 0,
  openBytes: 0,
  pinnedBytes: 0,
  hotBytes: 0,
  ...given,
});

describe('the reclaim ladder', () => {
  it('leaves memory alone below the low mark and lands closed files above it', () => {
    expect(planReclaim(use({ landableBytes: 390 }), budget, CALM)).toEqual([]);
    expect(planReclaim(use({ landableBytes: 410 }), budget, CALM)).toEqual([
      { rung: 2, kind: 'land-sealed', keepBytes: 200 },
    ]);
    expect(planReclaim(use({ stuckBytes: 410 }), budget, CALM)).toEqual([]);
  });

  it('takes decoded pixels first, then closed files, then files that are open', () => {
    expect(planReclaim(use({ openBytes: 500 }), budget, CALM)).toEqual([
      { rung: 1, kind: 'shrink-decoded', limitBytes: 125 },
    ]);
    expect(
      planReclaim(use({ openBytes: 100, landableBytes: 600 }), budget, CALM).map(({ kind }) => kind),
    ).toEqual(['shrink-decoded', 'land-sealed']);
    expect(planReclaim(use({ openBytes: 700, decodedLimitBytes: 0 }), budget, CALM)).toEqual([
      { rung: 3, kind: 'spill-open', bytes: 60 },
    ]);
  });

  it('lands everything that is closed when memory is tight, and only then moves open files to disk', () => {
    const tight = budgetOf(TOTAL, true);
    expect(planReclaim(use({ landableBytes: 10, openBytes: 50 }), tight, TIGHT)).toEqual([
      { rung: 1, kind: 'shrink-decoded', limitBytes: 100 },
      { rung: 2, kind: 'land-sealed', keepBytes: 0 },
    ]);
    expect(planReclaim(use({ decodedLimitBytes: 100, stuckBytes: 10, openBytes: 50 }), tight, TIGHT)).toEqual(
      [{ rung: 3, kind: 'spill-open', bytes: 50 }],
    );
  });

  it('goes up rung by rung and asks for no more than there is', () => {
    const bytes = fc.nat(1000);
    fc.assert(
      fc.property(
        bytes,
        bytes,
        bytes,
        fc.nat(200),
        bytes,
        fc.boolean(),
        (landable, stuck, open, limit, pinned, isUnderPressure) => {
          const held = {
            decodedLimitBytes: limit,
            landableBytes: landable,
            stuckBytes: stuck,
            openBytes: open,
            pinnedBytes: pinned,
            hotBytes: 0,
          };
          const need = isUnderPressure ? TIGHT : CALM;
          const steps = planReclaim(held, budgetOf(TOTAL, isUnderPressure), need);
          expect(steps.map(({ rung }) => rung)).toEqual(steps.map(({ rung }) => rung).toSorted());
          const limitAfter = decodedLimitBytes(held, budgetOf(TOTAL, isUnderPressure), need);
          for (const step of steps) {
            if (step.kind === 'shrink-decoded') expect(step.limitBytes).toBe(limitAfter);
            if (step.kind === 'land-sealed') expect(landable).toBeGreaterThan(0);
            if (step.kind === 'drop-pins') expect(isUnderPressure && step.bytes <= pinned).toBe(true);
            if (step.kind === 'spill-open') expect(step.bytes > 0 && step.bytes <= open).toBe(true);
          }
          if (landable + stuck + open <= budgetOf(TOTAL, isUnderPressure).highMarkBytes)
            expect(Math.min(limit, limitAfter) + landable + stuck + open).toBeLessThanOrEqual(TOTAL);
        },
      ),
    );
  });
});

/** Holders that do what they are told, and what they were told. */
function holders(state: { sealed: number; open: number; lands?: boolean; keepsBound?: boolean }) {
  const told: string[] = [];
  const used = 150;
  let grant = 200;
  let bound = 600;
  const reclaimer = new Reclaimer(TOTAL, bound, {
    written: async () => ({ reservedBytes: state.sealed + state.open, sealedBytes: state.sealed }),
    boundWritten: async (bytes) => {
      if (state.sealed + state.open > bytes) return false;
      bound = bytes;
      expect(bound + grant).toBeLessThanOrEqual(TOTAL);
      return true;
    },
    decoded: () => ({ usedBytes: Math.min(used, grant), grantBytes: grant }),
    boundDecoded: async (bytes) => {
      told.push(`decoded ${bytes}`);
      if (state.keepsBound !== false) grant = bytes;
      expect(bound + grant).toBeLessThanOrEqual(TOTAL);
    },
    land: async (keepBytes) => {
      told.push(`land ${keepBytes}`);
      const landed =
        state.lands === false ? 0 : Math.min(state.sealed, state.sealed + state.open - keepBytes);
      state.sealed -= landed;
      return landed;
    },
    unpin: async (bytes) => {
      told.push(`unpin ${bytes}`);
      return bytes;
    },
    dropHot: async (bytes) => {
      told.push(`drop ${bytes}`);
      return bytes;
    },
    spill: async (bytes) => {
      told.push(`spill ${bytes}`);
      const spilled = Math.min(bytes, state.open);
      state.open -= spilled;
      return spilled;
    },
  });
  return { reclaimer, told, state, bounds: () => ({ grant, bound }) };
}

const pressure = (isUnderPressure: boolean, cacheShare: number, reasons: string[] = []) => ({
  isUnderPressure,
  cacheShare,
  reasons,
  quietSinceMs: 0,
  sample: { atMs: 0 },
});

describe('the reclaimer', () => {
  it('takes what threads hold out of what files and pixels may take, a quarter at most, and gives it back', async () => {
    const { reclaimer, state, bounds } = holders({ sealed: 500, open: 0 });
    const both = () => bounds().grant + bounds().bound;
    await reclaimer.measured(20);
    expect(both()).toBe(TOTAL);
    await reclaimer.measured(150);
    expect(both()).toBe(TOTAL - 150);
    expect(state.sealed).toBeLessThanOrEqual(bounds().bound);
    await reclaimer.measured(700);
    expect(both()).toBe(TOTAL * 0.75);
    await reclaimer.measured(0);
    await reclaimer.look();
    expect(both()).toBe(TOTAL);
  });

  it('gives decoded pixels back what they had once memory is plenty again', async () => {
    const { reclaimer, told, bounds } = holders({ sealed: 50, open: 0 });
    await reclaimer.felt(pressure(true, 0.5, ['only 1 MiB is available']));
    expect(told).toEqual(['decoded 100', 'land 0']);
    expect(bounds()).toEqual({ grant: 100, bound: 700 });
    expect(reclaimer.last).toMatchObject({
      reasons: ['only 1 MiB is available'],
      steps: [
        { rung: 1, kind: 'shrink-decoded', freedBytes: 50 },
        { rung: 2, kind: 'land-sealed', freedBytes: 50 },
      ],
    });
    await reclaimer.felt(pressure(false, 0.75));
    await reclaimer.felt(pressure(false, 1));
    expect(bounds()).toEqual({ grant: 200, bound: 600 });
  });

  it('moves open files to disk when closed ones will not land, and asks those again later', async () => {
    const { reclaimer, told } = holders({ sealed: 50, open: 70, lands: false });
    await reclaimer.felt(pressure(true, 0.5, ['tight']));
    expect(told).toEqual(['decoded 100', 'land 0', 'spill 70']);
    await reclaimer.felt(pressure(true, 0.5, ['tight']));
    expect(told).toHaveLength(3);
  });

  it('lets written files have what decoded pixels gave up, and not before they did', async () => {
    const slow = holders({ sealed: 0, open: 600, keepsBound: false });
    await slow.reclaimer.look();
    expect(slow.bounds()).toEqual({ grant: 200, bound: 600 });
    const { reclaimer, state, bounds } = holders({ sealed: 0, open: 600 });
    await reclaimer.look();
    expect(bounds()).toEqual({ grant: 25, bound: 775 });
    state.open = 300;
    await reclaimer.look();
    expect(bounds()).toEqual({ grant: 200, bound: 600 });
  });

  it('takes pins out of the budget, half of it at most, and decoded pixels give way to them', async () => {
    const { reclaimer, state, bounds } = holders({ sealed: 0, open: 300 });
    expect(await reclaimer.reserve(300)).toBe(true);
    expect(bounds()).toEqual({ grant: 200, bound: 300 });
    // Decoded pixels give way to pins, written files don't.
    expect(await reclaimer.reserve(100)).toBe(true);
    expect(bounds().bound).toBeGreaterThanOrEqual(300);
    expect(bounds().bound + bounds().grant).toBeLessThanOrEqual(400);
    state.open = 0;
    expect(await reclaimer.reserve(1)).toBe(false);
    expect(reclaimer.pinnedBytes).toBe(400);
    await reclaimer.release(400);
    await reclaimer.look();
    expect(reclaimer.pinnedBytes).toBe(0);
    expect(bounds()).toEqual({ grant: 200, bound: 600 });
  });

  it('lets pins go last, half of them at a time, and only when memory is tight', async () => {
    const { reclaimer, told } = holders({ sealed: 50, open: 0 });
    expect(await reclaimer.reserve(200)).toBe(true);
    await reclaimer.look();
    expect(told.join()).not.toContain('unpin');
    await reclaimer.felt(pressure(true, 0.5, ['tight']));
    expect(told.indexOf('unpin 100')).toBeGreaterThan(told.indexOf('land 0'));
    expect(reclaimer.last?.steps.at(-1)).toMatchObject({ rung: 4, kind: 'drop-pins' });
    expect(await reclaimer.reserve(1)).toBe(false);
  });

  it('lets files go that were read whole before anything else does', async () => {
    const { reclaimer, told, state, bounds } = holders({ sealed: 0, open: 0 });
    expect(await reclaimer.reserveHot(200)).toBe(true);
    expect(bounds()).toEqual({ grant: 200, bound: 400 });
    state.sealed = 310;
    await reclaimer.look();
    expect(told[0]).toBe('drop 20');
    expect(told.join()).not.toContain('land');
    expect(reclaimer.hotBytes).toBe(180);
    // More of them would only have to go again.
    expect(await reclaimer.reserveHot(1)).toBe(false);
    state.sealed = 0;
    expect(await reclaimer.reserve(400)).toBe(true);
    const { grant, bound } = bounds();
    expect(reclaimer.hotBytes + reclaimer.pinnedBytes + grant + bound).toBeLessThanOrEqual(TOTAL);
    expect(reclaimer.pinnedBytes).toBe(400);
  });

  it('asks nobody while nothing is wrong', async () => {
    const { reclaimer, told } = holders({ sealed: 10, open: 10 });
    await reclaimer.felt(pressure(false, 1));
    expect(told).toEqual([]);
  });
});
