import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MIN_BUDGET_BYTES } from '../../../src/core/byte-size.ts';
import { defaultBudgetBytes } from '../../../src/memory/budget.ts';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import { nextPressure, PressureProbe, watchPressure } from '../../../src/memory/pressure.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe('budgets', () => {
  it('the default leaves most of the machine and half of the tmpfs to others', () => {
    expect(defaultBudgetBytes(16 * GIB, 16 * GIB)).toBe(4 * GIB);
    expect(defaultBudgetBytes(16 * GIB, GIB)).toBe(GIB / 2);
    expect(defaultBudgetBytes(MIB, 0)).toBe(MIN_BUDGET_BYTES);
  });
});

describe('byte cache', () => {
  it('keeps no more than its bound but for the newest entry, and what was used last', () => {
    const operation = fc.tuple(fc.nat(9), fc.nat(60), fc.option(fc.nat(100)));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const cache = new ByteCache(100);
        let bound = 100;
        for (const [key, size, newBound] of operations) {
          if (newBound !== null) {
            bound = newBound;
            cache.resize(bound);
            expect(cache.usedBytes).toBeLessThanOrEqual(bound);
          }
          cache.set(String(key), Buffer.alloc(size));
          expect(cache.get(String(key))?.length).toBe(size);
          expect(cache.usedBytes).toBeLessThanOrEqual(Math.max(bound, size, 1));
        }
      }),
    );
    const cache = new ByteCache(10);
    cache.set('a', Buffer.alloc(5));
    cache.set('b', Buffer.alloc(5));
    cache.get('a');
    cache.set('c', Buffer.alloc(5));
    expect([cache.get('a') !== undefined, cache.get('b')]).toEqual([true, undefined]);
    cache.clear();
    expect(cache.usedBytes).toBe(0);
  });

  it('drops what was served whole first', () => {
    const cache = new ByteCache(12);
    for (const key of ['a', 'b', 'c']) cache.set(key, Buffer.alloc(4));
    cache.served('c', 3);
    cache.served('b', 1);
    cache.served('c', 1);
    cache.set('d', Buffer.alloc(4));
    expect(['a', 'b', 'c', 'd'].filter((key) => cache.get(key))).toEqual(['a', 'b', 'd']);
    cache.set('e', Buffer.alloc(4));
    expect(['a', 'b', 'd', 'e'].filter((key) => cache.get(key))).toEqual(['b', 'd', 'e']);
  });

  it('uses the memory of what was served whole again, and of nothing else', () => {
    const cache = new ByteCache(100 * MIB);
    const given = new Set<Uint8Array>();
    for (let plane = 0; plane < 20; plane++) {
      const bytes = cache.take(2 * MIB);
      given.add(bytes);
      cache.set(`served ${plane}`, bytes);
      cache.served(`served ${plane}`, 2 * MIB);
      cache.set(`foreign ${plane}`, new Uint8Array(16));
      cache.served(`foreign ${plane}`, 16);
    }
    expect(given.size).toBeLessThanOrEqual(4);
    expect(cache.get('served 19')).toBeDefined();
    const kept = new ByteCache(100 * MIB);
    const seen = new Set<Uint8Array>();
    for (let plane = 0; plane < 20; plane++) {
      const bytes = kept.take(2 * MIB);
      seen.add(bytes);
      kept.set(`part ${plane}`, bytes);
      kept.served(`part ${plane}`, MIB);
    }
    expect(seen.size).toBe(20);
  });
});

describe('pressure', () => {
  const calm = { atMs: 0, totalBytes: 16 * GIB, availableBytes: 8 * GIB, stalledUs: 0 };

  it('starts at once, halves the caches, and ends after ten quiet seconds', () => {
    let state = nextPressure(undefined, calm);
    expect(state).toMatchObject({ isUnderPressure: false, cacheShare: 1 });
    state = nextPressure(state, { ...calm, atMs: 1000, availableBytes: 100 * MIB });
    expect(state).toMatchObject({ isUnderPressure: true, cacheShare: 0.5 });
    expect(state.reasons[0]).toMatch(/100 MiB/);
    for (let second = 2; second <= 10; second++)
      state = nextPressure(state, { ...calm, atMs: second * 1000 });
    expect(state.isUnderPressure).toBe(true);
    state = nextPressure(state, { ...calm, atMs: 11_000 });
    expect(state).toMatchObject({ isUnderPressure: false, cacheShare: 0.6 });
  });

  it('is what PSI and the control group say, too', () => {
    const before = nextPressure(undefined, calm);
    const stalled = nextPressure(before, { ...calm, atMs: 1000, stalledUs: 150_000 });
    expect(stalled.reasons[0]).toMatch(/15 % of the time/);
    const group = nextPressure(before, {
      ...calm,
      atMs: 1000,
      groupUsedBytes: 95 * MIB,
      groupLimitBytes: 100 * MIB,
    });
    expect(group.reasons[0]).toMatch(/95 % of its memory limit/);
    const hits = (groupUsedBytes: number) =>
      nextPressure(nextPressure(undefined, { atMs: 0, groupLimitHits: 1 }), {
        atMs: 1000,
        groupLimitHits: 2,
        groupUsedBytes,
        groupLimitBytes: 100 * MIB,
      }).reasons;
    expect(hits(80 * MIB)).toEqual(['the control group came to its memory limit']);
    expect(hits(50 * MIB)).toEqual([]);
    expect(nextPressure(before, { atMs: 1000 }).reasons).toEqual([]);
  });

  it('is read from the kernel, and what the kernel lacks is absent', () => {
    const root = mkdtempSync(join(tmpdir(), 'platefs-proc-'));
    const write = (path: string, text: string): void => {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), text);
    };
    try {
      using nothing = new PressureProbe(root);
      expect(nothing.sample(5)).toEqual({ atMs: 5 });
      write('proc/meminfo', 'MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    400 kB\n');
      write('proc/pressure/memory', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=4321\nfull total=1\n');
      write('proc/self/cgroup', '4:memory:/old\n0::/user.slice/a\n');
      write('sys/fs/cgroup/user.slice/memory.current', '700\n');
      write('sys/fs/cgroup/user.slice/memory.max', '1000\n');
      write('sys/fs/cgroup/user.slice/memory.high', 'max\n');
      write('sys/fs/cgroup/user.slice/a/memory.current', '100\n');
      write('sys/fs/cgroup/user.slice/a/memory.max', 'max\n');
      write('sys/fs/cgroup/memory/old/memory.usage_in_bytes', '5\n');
      write('sys/fs/cgroup/memory/old/memory.limit_in_bytes', '9223372036854771712\n');
      write(
        'sys/fs/cgroup/user.slice/memory.stat',
        'anon 600\ninactive_file 60\nactive_file 40\nshmem 500\n',
      );
      write('sys/fs/cgroup/user.slice/memory.events', 'low 9\nhigh 3\nmax 4\noom 1\noom_kill 1\n');
      write('sys/fs/cgroup/memory/old/memory.failcnt', '2\n');
      using probe = new PressureProbe(root);
      expect(probe.sample(7)).toEqual({
        atMs: 7,
        totalBytes: 1_024_000,
        availableBytes: 409_600,
        stalledUs: 4321,
        groupUsedBytes: 600,
        groupLimitHits: 10,
        groupLimitBytes: 1000,
      });
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it('is known at once when it is watched', () => {
    const states: unknown[] = [];
    using _ = watchPressure((state) => states.push(state));
    expect(states).toHaveLength(1);
  });
});
