import { describe, expect, it } from 'vitest';
import { nearestWord } from '../../../src/config/did-you-mean.ts';
import { parseMountOptions } from '../../../src/config/mount-options.ts';
import { cacheFolder, runtimeFolder, stateFolder } from '../../../src/config/xdg.ts';

describe('-o options', () => {
  it('reads what mount(8) passes', () => {
    expect(
      parseMountOptions(['rw,noatime,allow_other', 'budget=2G,nopassthrough,ro,x-systemd.automount']),
    ).toEqual({
      allowOther: true,
      noPassthrough: true,
      readOnly: true,
      budgetBytes: 2 * 1024 ** 3,
    });
    expect(parseMountOptions(['', 'readers=3,output=/a b,state=/s'])).toEqual({
      readers: 3,
      output: '/a b',
      state: '/s',
    });
  });

  it.each([
    ['alow_other', "-o alow_other: unknown option; did you mean 'allow_other'?"],
    [
      'xyzzy',
      '-o xyzzy: unknown option; known: allow_other, ro, rw, nopassthrough, budget, readers, follow_links, watch, missing, durability, profile, float64, ngff, output-ngff, output-chunks, output-codec, output-levels, output-layout, cold-cache, hot-cache, small-files, large-files, revision-quota, names, layout, as, output, state',
    ],
    ['budget', '-o budget: needs a value; write budget=SIZE'],
    ['ro=1', '-o ro: takes no value; write just ro'],
    ['readers=none', "-o readers: 'none' is no number of threads; write 1 to 64"],
    ['constructor', /unknown option/],
  ])('refuses %s', (text, expected) => {
    expect(() => parseMountOptions([text])).toThrow(expected);
  });
});

describe('XDG folders', () => {
  it('follow the environment, and ignore relative values', () => {
    const env = {
      HOME: '/home/u',
      XDG_STATE_HOME: '/s',
      XDG_CACHE_HOME: 'rel',
      XDG_RUNTIME_DIR: '/run/user/7',
    };
    expect(stateFolder(env)).toBe('/s/platefs');
    expect(cacheFolder(env)).toBe('/home/u/.cache/platefs');
    expect(runtimeFolder(env, 7)).toBe('/run/user/7/platefs');
    expect(runtimeFolder({}, 7)).toMatch(/\/platefs-7$/);
  });
});

describe('did you mean', () => {
  it('finds near words only', () => {
    expect(nearestWord('gausian', ['gaussian', 'otsu'])).toBe('gaussian');
    expect(nearestWord('ostu', ['gaussian', 'otsu'])).toBe('otsu');
    expect(nearestWord('readOnly', ['read-only'])).toBe('read-only');
    expect(nearestWord('zzz', ['gaussian', 'otsu'])).toBeUndefined();
  });
});
