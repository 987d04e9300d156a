import { describe, expect, it } from 'vitest';
import { DecodingAhead } from '../../../src/daemon/decoding-ahead.ts';
import { type Foresight, ReadAhead } from '../../../src/daemon/read-ahead.ts';

const MIB = 2 ** 20;
const HEADER = 4096;
const PLANE = 4 * MIB;
const PLANES = 10;

/** Files of a header and ten planes of 4 MiB. */
function unitAt(node: number, offsetBytes: number) {
  const plane = Math.floor((offsetBytes - HEADER) / PLANE);
  if (plane >= PLANES) return { name: `${node}`, startBytes: 0, endBytes: Number.POSITIVE_INFINITY };
  const startBytes = plane < 0 ? 0 : HEADER + plane * PLANE;
  return { name: `${node}:${startBytes}`, startBytes, endBytes: HEADER + (plane + 1) * PLANE };
}

const make = (): ReadAhead =>
  new ReadAhead({ unitAt, isRendered: (node) => node >= 100 && node < 200, limitBytes: 64 * MIB });

/** Planes foreseen, as `file:plane`. */
const foreseen = ({ ahead }: Foresight): string[] =>
  (ahead?.units ?? []).map(({ startBytes }) => `${ahead?.node}:${Math.floor(startBytes / PLANE)}`);

describe('read-ahead', () => {
  it('foresees the next plane of a stack that is read on and on, each once, to the end', () => {
    const ahead = make();
    const planes: string[] = [];
    const size = HEADER + PLANES * PLANE;
    for (let at = 0; at < size; at += 128 * 1024) {
      const now = Math.floor((at + 128 * 1024 - 1 - HEADER) / PLANE);
      for (const plane of foreseen(ahead.noted(100, at, 128 * 1024))) {
        expect(Number(plane.split(':')[1])).toBeGreaterThan(now);
        planes.push(plane);
      }
    }
    expect(planes).toEqual(Array.from({ length: PLANES - 1 }, (_, i) => `100:${i + 1}`));
  });

  it('foresees nothing for reads here and there, and says when a run is broken', () => {
    const ahead = make();
    for (const plane of [3, 9, 0, 5, 7, 2])
      expect(ahead.noted(100, HEADER + plane * PLANE + 12345, 4096)).toEqual({});
    for (let at = 0; at < 2 * MIB; at += 131072) ahead.noted(101, HEADER + at, 131072);
    expect(ahead.noted(101, HEADER + 8 * PLANE, 4096)).toEqual({ broken: 101 });
    expect(ahead.noted(101, HEADER + 2 * PLANE, 4096)).toEqual({});
  });

  it('bears with reads that overtake each other', () => {
    const ahead = make();
    const order = [0, 2, 1, 4, 3, 5, 7, 6, 8];
    const planes = order.flatMap((i) => foreseen(ahead.noted(100, HEADER + i * 131072, 131072)));
    expect(planes).toEqual(['100:1']);
  });

  it('foresees the next file of those that are opened in even steps, whatever the step', () => {
    for (const step of [1, 4, -3]) {
      const ahead = make();
      const nodes = [0, 1, 2, 3].map((i) => 150 + i * step);
      const files = nodes.map((node) =>
        foreseen(ahead.noted(node, 0, 4096)).map((unit) => unit.split(':')[0]),
      );
      expect(new Set(files[2])).toEqual(new Set([String(150 + 3 * step)]));
      expect(files.slice(0, 2)).toEqual([[], []]);
    }
    const ahead = make();
    for (const node of [198, 199]) expect(ahead.noted(node, 0, 4096)).toEqual({});
    for (const node of [110, 150, 111, 170]) expect(ahead.noted(node, 0, 4096)).toEqual({});
  });
});

describe('decoding ahead', () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('goes step by step between other work, and stops when it is of no use', async () => {
    const steps: string[] = [];
    let done = 0;
    const decoding = new DecodingAhead(
      function* (node, offsetBytes) {
        for (let i = 0; i < 3; i++) {
          steps.push(`${node}:${offsetBytes}:${i}`);
          yield;
        }
      },
      () => done++,
    );
    decoding.add({ kind: 'ahead', node: 1, parts: [{ offsetBytes: 0, sizeBytes: 1 }] });
    decoding.add({ kind: 'ahead', node: 2, parts: [{ offsetBytes: 5, sizeBytes: 1 }] });
    expect(steps).toEqual([]);
    await turn();
    expect(steps).toEqual(['1:0:0']);
    decoding.forget(1);
    expect(done).toBe(1);
    for (let i = 0; i < 6; i++) await turn();
    expect(steps).toEqual(['1:0:0', '2:5:0', '2:5:1', '2:5:2']);
    expect(done).toBe(2);
  });

  it('leaves errors to whoever reads', async () => {
    let done = 0;
    const decoding = new DecodingAhead(
      // biome-ignore lint/correctness/useYield: it fails before.
      function* () {
        throw new Error('a broken plane');
      },
      () => done++,
    );
    decoding.add({ kind: 'ahead', node: 1, parts: [{ offsetBytes: 0, sizeBytes: 1 }] });
    for (let i = 0; i < 3; i++) await turn();
    expect(done).toBe(1);
  });
});
