import { beforeEach, describe, expect, it } from 'vitest';
import { type FileRead, SourceLooks } from '../../../src/daemon/source-looks.ts';

let nowMs = 0;
let told: FileRead[] = [];
beforeEach(() => {
  nowMs = 1000;
  told = [];
});

const looking = (isClockOurs = true): SourceLooks =>
  new SourceLooks({
    tell: (files) => told.push(...files),
    isClockOurs: () => isClockOurs,
    nowMs: () => nowMs,
  });

/** A read through a handle, which looks at one file. */
function read(looks: SourceLooks, openedAtMs: number, identity: string, changedAtMs?: number): void {
  const look = { path: '/p.tif', identity, changedAtMs, device: 1n };
  looks.during({ node: 7, openedAtMs }, () => looks.heard(look));
}

describe('a read through an open handle', () => {
  it('goes on while the file is what it was when the handle was opened', () => {
    const looks = looking();
    read(looks, 900, 'a', 800);
    nowMs = 5000;
    read(looks, 900, 'a', 800);
    read(looks, 4000, 'a', 800);
  });

  it('is refused by name where the file changed since, and a handle opened later is not', () => {
    const looks = looking();
    read(looks, 900, 'a', 800);
    nowMs = 5000;
    expect(() => read(looks, 900, 'b', 3000)).toThrow(/\/p\.tif changed after it was opened.*/);
    expect(() => read(looks, 900, 'b', 3000)).toThrow(expect.objectContaining({ tag: 'stale' }));
    read(looks, 3500, 'b', 3000);
  });

  it('is refused where nobody had looked at the file before', () => {
    expect(() => read(looking(), 900, 'b', 950)).toThrow(/changed/);
  });

  it('is refused on a disk with another clock where the file was seen to be another since', () => {
    const looks = looking(false);
    read(looks, 900, 'a', 99_000);
    nowMs = 2000;
    expect(() => read(looks, 900, 'b', 98_000)).toThrow(/changed/);
    read(looks, 1500, 'b', 98_000);
  });

  it('is refused where a file went, or came, that was looked at before', () => {
    const looks = looking();
    read(looks, 900, 'a', 800);
    nowMs = 2000;
    expect(() => read(looks, 900, 'absent')).toThrow(/changed/);
    read(looks, 1900, 'absent');
  });

  it('goes on where only rights or names of the file changed', () => {
    const looks = looking();
    read(looks, 1000, 'a', 800);
    nowMs = 3000;
    read(looks, 1000, 'a', 2500);
  });
});

describe('what files were made of', () => {
  it('is told once for each, and again when it is another', () => {
    const looks = looking();
    read(looks, 900, 'a', 800);
    read(looks, 900, 'a', 800);
    looks.during({ node: 8 }, () =>
      looks.heard({ path: '/p.tif', identity: 'a', changedAtMs: 800, device: 1n }),
    );
    looks.flush();
    expect(told).toEqual([
      { path: '/p.tif', identity: 'a', node: 7 },
      { path: '/p.tif', identity: 'a', node: 8 },
    ]);
    looks.flush();
    nowMs = 2000;
    read(looks, 1500, 'b', 1400);
    looks.flush();
    expect(told.slice(2)).toEqual([{ path: '/p.tif', identity: 'b', node: 7 }]);
  });

  it('is nothing where nobody reads', () => {
    const looks = looking();
    looks.heard({ path: '/p.tif', identity: 'a', changedAtMs: 800, device: 1n });
    looks.flush();
    expect(told).toEqual([]);
  });
});
