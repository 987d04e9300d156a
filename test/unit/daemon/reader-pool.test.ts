import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { ReadAhead } from '../../../src/daemon/read-ahead.ts';
import { ReaderCounters } from '../../../src/daemon/reader-counters.ts';
import { ReaderPool } from '../../../src/daemon/reader-pool.ts';
import { type ReadPartJob, SplitRead, SplitReads } from '../../../src/daemon/split-read.ts';
import type { RenderUnit } from '../../../src/tree/render-unit.ts';
import type { ReaderJob } from '../../../src/vfs/jobs.ts';

const TABLE = 1000;

/** A pool of readers that are not there: what each was given. Units are 100 bytes long, tables are of one. */
function unitAt(node: number, offsetBytes: number): RenderUnit {
  if (node >= TABLE) return { name: `${node}`, startBytes: 0, endBytes: Number.POSITIVE_INFINITY };
  const startBytes = Math.floor(offsetBytes / 100) * 100;
  return { name: `${node}:${startBytes}`, startBytes, endBytes: startBytes + 100 };
}

function pool(count: number, limitBytes = 0) {
  const counters = ReaderCounters.of(count);
  const channels = Array.from({ length: count }, () => new MessageChannel());
  const wanted: number[] = [];
  const made = new ReaderPool({
    ports: channels.map(({ port1 }) => port1),
    counters,
    unitAt,
    ahead: new ReadAhead({ unitAt, isRendered: () => false, limitBytes }),
    onWanted: (count) => wanted.push(count),
  });
  const given = (reader: number): (ReaderJob | ReadPartJob)[] => {
    const jobs: (ReaderJob | ReadPartJob)[] = [];
    for (;;) {
      const port = channels[reader]?.port2;
      const received = port && receiveMessageOnPort(port);
      if (!received) return jobs;
      jobs.push(received.message as ReaderJob | ReadPartJob);
    }
  };
  const read = (node: number, offsetBytes: number, sizeBytes = 10): void =>
    made.submit({
      kind: 'read-rendered',
      uniqueLow: 0,
      uniqueHigh: 0,
      node,
      openedAtMs: 0,
      offsetBytes,
      sizeBytes,
    });
  const close = (): void => {
    for (const { port1 } of channels) port1.close();
  };
  return { counters, given, read, wanted, close };
}

describe('reader pool', () => {
  it('starts one reader for whoever reads a table, and all for anything besides', () => {
    for (const other of [1, TABLE + 1]) {
      const { given, read, wanted, close } = pool(3);
      for (let at = 0; at < 1000; at += 10) read(TABLE, at);
      expect(wanted).toEqual([1]);
      expect(given(0)).toHaveLength(100);
      read(other, 0);
      read(TABLE, 0);
      expect(wanted).toEqual([1, 3]);
      close();
    }
  });

  it('gives all reads of one part to one reader, and different parts to different readers', () => {
    const { given, read, close } = pool(3);
    for (let round = 0; round < 5; round++)
      for (const part of [0, 1, 2, 3, 4, 5]) read(7, part * 100 + round * 10);
    const partsOf = (reader: number): number[] => [
      ...new Set(
        given(reader).map((job) => (job.kind === 'read-rendered' ? Math.floor(job.offsetBytes / 100) : -1)),
      ),
    ];
    const parts = [partsOf(0), partsOf(1), partsOf(2)];
    expect(parts.flat().toSorted()).toEqual([0, 1, 2, 3, 4, 5]);
    for (const some of parts) expect(some).toHaveLength(2);
    close();
  });

  it('has a read that ends within another unit done in two parts, each by the reader of its unit', () => {
    const { given, read, close } = pool(2);
    read(7, 0);
    read(7, 100);
    const readerOf = new Map([0, 1].flatMap((reader) => given(reader).map((job) => [job, reader] as const)));
    expect(readerOf.size).toBe(2);
    read(7, 80, 40);
    const parts = [...given(0), ...given(1)];
    expect(parts).toMatchObject([
      { kind: 'read-part', offsetBytes: 80, sizeBytes: 20, atBytes: 0 },
      { kind: 'read-part', offsetBytes: 100, sizeBytes: 20, atBytes: 20 },
    ]);
    // The second unit lies whole in the read: nobody else will want it.
    read(7, 80, 120);
    expect([...given(0), ...given(1)]).toMatchObject([{ kind: 'read-rendered', offsetBytes: 80 }]);
    close();
  });

  it('puts the parts of a read together, whoever is last; one that fails fails all', () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const { memory } = SplitRead.of(5, 2);
      const outcomes = order.map((part) =>
        // The file ends within the second part.
        SplitRead.over(memory).finish(part * 3, part === 0 ? Uint8Array.of(1, 2, 3) : Uint8Array.of(4)),
      );
      expect(outcomes[0]).toBeUndefined();
      expect(Buffer.concat(outcomes[1] as Uint8Array[])).toEqual(Buffer.of(1, 2, 3, 4));
    }
    const broken = SplitRead.of(5, 2);
    expect(broken.fail(5)).toBeUndefined();
    expect(broken.finish(0, new Uint8Array(3))).toBe(5);
    const brokenLast = SplitRead.of(5, 2);
    expect(brokenLast.finish(0, new Uint8Array(3))).toBeUndefined();
    expect(brokenLast.fail(5)).toBe(5);
  });

  it('uses the memory of a read in parts again once it is answered, and not before', () => {
    const splits = new SplitReads();
    const first = splits.begin(10, 2);
    first.fail(5);
    expect(splits.begin(10, 2)).not.toBe(first);
    first.finish(0, Uint8Array.of(1));
    expect(splits.begin(10, 2)).not.toBe(first);
    first.release();
    expect(splits.begin(20, 2)).not.toBe(first);
    expect(splits.begin(5, 2)).toBe(first);
    expect(first.finish(3, Uint8Array.of(4, 5))).toBeUndefined();
    expect(Buffer.concat(first.finish(0, Uint8Array.of(1, 2, 3)) as Uint8Array[])).toEqual(
      Buffer.of(1, 2, 3, 4, 5),
    );
  });

  it('spreads what lies in files as it is shown', () => {
    const { counters, given, read, close } = pool(2);
    counters.setPoured(7, true);
    for (let i = 0; i < 10; i++) read(7, i);
    expect([given(0).length, given(1).length]).toEqual([5, 5]);
    close();
  });

  it('counts across threads', () => {
    const counters = ReaderCounters.of(3);
    const seen = ReaderCounters.over(counters.memory);
    expect(seen.count).toBe(3);
    seen.served(2, 5);
    seen.served(2, 6);
    seen.decoded(1, 9);
    seen.hold(0, 3);
    seen.finishJob(1);
    expect(counters.figures()).toEqual({ heldBytes: 3, decodedBytes: 9, servedBytes: 11 });
    expect([0, 1, 2].map((reader) => counters.finishedJobs(reader))).toEqual([0, 1, 0]);
  });
});
