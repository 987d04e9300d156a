import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommitPlace, commitFolder } from '../../../src/cli/commit-place.ts';

let base = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'platefs-place-'));
  mkdirSync(join(base, 'data/plate'), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const place = (more: Partial<CommitPlace>): CommitPlace => ({
  to: join(base, 'out'),
  sources: [join(base, 'data/plate')],
  state: join(base, 'state'),
  mounts: [{ mountpoint: join(base, 'mnt') }],
  paths: ['images/a.tif'],
  intoSource: false,
  ...more,
});

describe('the folder that changes are committed to', () => {
  it('is made', () => {
    expect(commitFolder(place({ to: join(base, 'new/out') }))).toBe(join(base, 'new/out'));
    expect(existsSync(join(base, 'new/out'))).toBe(true);
  });

  it('is never the raw data, in whatever way it is spelt, unless that is said', () => {
    symlinkSync(join(base, 'data'), join(base, 'alias'));
    for (const to of ['data/plate', 'data/plate/sub', 'alias/plate', 'alias/plate/../plate/x/y'])
      expect(() => commitFolder(place({ to: join(base, to) }))).toThrow(/--into-source/);
    const reaching = place({ to: join(base, 'data'), paths: ['plate/images/a.tif'] });
    expect(() => commitFolder(reaching)).toThrow(/--into-source/);
    expect(commitFolder(place({ to: join(base, 'data') }))).toBe(join(base, 'data'));
    expect(commitFolder(place({ to: join(base, 'data/plate'), intoSource: true }))).toBe(
      join(base, 'data/plate'),
    );
    expect(existsSync(join(base, 'data/plate/sub'))).toBe(false);
  });

  it('lies in no mount and not among our own files', () => {
    expect(() => commitFolder(place({ to: join(base, 'mnt/x') }))).toThrow(/lies in the mount/);
    expect(() => commitFolder(place({ to: join(base, 'state/x') }))).toThrow(/own files/);
  });
});
