import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readHookRules, readMountDefinition } from '../../../src/config/definition-file.ts';
import { BadDefinitionError } from '../../../src/core/errors.ts';
import { PLAIN_HOOKS } from './plain-hooks.ts';

const folder = mkdtempSync(join(tmpdir(), 'platefs-definition-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'x.yaml');

function read(text: string) {
  writeFileSync(file, text);
  return readMountDefinition(file, PLAIN_HOOKS);
}

/** The complaint, with the file's path as `x.yaml`. */
async function complaint(text: string): Promise<string> {
  const error = await read(text).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BadDefinitionError))
    throw new Error('nothing was complained about', { cause: error });
  return error.message.replaceAll(file, 'x.yaml');
}

const RULE = `source: ./plate1
hooks:
  - name: nuclei
    on: "inbox/*.tif"
    steps:
      - gaussian: { sigma: 2 }
      - otsu
      - binary-opening: { radius: 3 }
      - label: { connectivity: 4 }
      - measure
    outputs:
      label: "results/{stem}_labels.tif"
      measure: "results/{stem}_objects.csv"
`;

describe('mount definitions', () => {
  it.each(['0.5', "'0.5'", '"0.5"'])('reads ngff: %s as a version', async (ngff) => {
    expect((await read(`source: p\noptions: { ngff: ${ngff} }`)).options).toMatchObject({ ngff: '0.5' });
  });

  it.each(['output', 'state'])(
    'refuses a server as %s, which would become a folder of that name',
    async (key) => {
      expect(await complaint(`source: p\n${key}: s3://bucket/results`)).toBe(
        `x.yaml:2: ${key}: s3://bucket/results is on a server; name a folder of this machine`,
      );
    },
  );

  it('reads a whole one, with paths from its folder', async () => {
    const definition = await read(`${RULE}mountpoint: ~/mnt
names: '{well}/{field:03}{ext}'
layout: '*_{well}_{site}.tif'
output: ../out
state: /var/x
budget: 2GiB
read-only: true
options: { allow-other: true, passthrough: false, readers: 2 }
`);
    expect(definition).toEqual({
      source: join(folder, 'plate1'),
      mountpoint: join(homedir(), 'mnt'),
      names: '{well}/{field:03}{ext}',
      layout: '*_{well}_{site}.tif',
      output: join(folder, '../out'),
      state: '/var/x',
      budgetBytes: 2 * 1024 ** 3,
      hooks: [
        {
          name: 'nuclei',
          on: 'inbox/*.tif',
          steps: [
            { hook: 'gaussian', params: { sigma: 2 }, name: 'gaussian' },
            { hook: 'otsu', params: {}, name: 'otsu' },
            { hook: 'binary-opening', params: { radius: 3 }, name: 'binary-opening' },
            { hook: 'label', params: { connectivity: 4 }, name: 'label' },
            { hook: 'measure', params: {}, name: 'measure' },
          ],
          outputs: { label: 'results/{stem}_labels.tif', measure: 'results/{stem}_objects.csv' },
        },
      ],
      options: { allowOther: true, noPassthrough: true, readOnly: true, readers: 2 },
    });
  });

  it('takes the least', async () => {
    expect(await read('source: /data/p')).toEqual({
      source: '/data/p',
      hooks: [],
      options: { allowOther: false, noPassthrough: false, readOnly: false },
    });
  });

  it('leaves an address as it is', async () => {
    expect((await read('source: s3://bucket/image.zarr')).source).toBe('s3://bucket/image.zarr');
  });

  it('reads what a source is shown as', async () => {
    expect(await read('source: p\nas: sources')).toMatchObject({ as: 'sources' });
  });

  it('reads several sources, each the folder of its own name or of the path', async () => {
    const definition = await read(`sources:
  - ./plate1/
  - path: ~/cells.h5ad
  - { path: ../odd, name: screen 2, layout: '{well}_{site}.tif', names: harmony }
  - { path: 'https://example.org/a%20b.zarr?x=1#y', as: sources }
  - s3://bucket
names: openhcs
`);
    expect(definition).toMatchObject({
      source: file,
      names: 'openhcs',
      sources: [
        { path: join(folder, 'plate1'), name: 'plate1' },
        { path: join(homedir(), 'cells.h5ad'), name: 'cells.h5ad' },
        {
          path: join(folder, '../odd'),
          name: 'screen 2',
          layout: '{well}_{site}.tif',
          names: 'harmony',
        },
        { path: 'https://example.org/a%20b.zarr?x=1#y', name: 'a b.zarr', as: 'sources' },
        { path: 's3://bucket', name: 'bucket' },
      ],
    });
    expect(definition).not.toHaveProperty('layout');
  });

  it.each([
    ['sources: []', 'x.yaml:1: sources is empty'],
    [
      'sources: ./p',
      "x.yaml:1: sources must be a list (- item), not './p'; write for example  sources: [./plate1, ./cells.h5ad]",
    ],
    ['sources:\n  - a\n  - 3', 'x.yaml:3: sources[2] must be text or a mapping (key: value), not 3'],
    ['sources:\n  - a\n  - { pth: b }', "x.yaml:3: unknown key 'pth' in sources[2]; did you mean 'path'?"],
    ['sources:\n  - name: b', "x.yaml:2: sources[1] lacks 'path'; write for example  path: ./plate1"],
    [
      'source: p\nsources: [q]',
      "x.yaml:1: 'source' and 'sources' exclude each other; write  - path: …  for it in the list",
    ],
    [
      'sources: [q]\nlayout: "{well}_{site}.tif"\nas: plate',
      "x.yaml:2: 'layout' is said of one source; write it beside that one's path in 'sources'\nx.yaml:3: 'as' is said of one source; write it beside that one's path in 'sources'",
    ],
    [
      'sources:\n  - /a/p\n  - path: /b/p\n  - path: /c/q\n    name: p',
      "x.yaml:3: two sources would be the folder 'p', this one and that of line 2; give one another name with  name: …\nx.yaml:5: two sources would be the folder 'p', this one and that of line 2; give one another name with  name: …",
    ],
    ['sources:\n  - path: a\n    name: b/c', "x.yaml:3: 'b/c' can't be the name of a folder"],
    ['sources:\n  - path: a\n    name: ..', "x.yaml:3: '..' can't be the name of a folder"],
    [
      'sources:\n  - /a/.platefs',
      "x.yaml:2: '.platefs' is where PlateFS tells of itself; choose another name",
    ],
    ['sources:\n  - /', "x.yaml:2: '/' has no last name to be the folder's; give it one with  name: …"],
    [
      'sources:\n  - path: a\n    layout: "*.tif"',
      "x.yaml:3: layout: '*.tif' says nothing of well, site, channel, z or t; write for instance {well}_{site}.tif",
    ],
    [
      'source: a\nas: sources\nlayout: "{well}_{site}.tif"',
      "x.yaml:3: 'layout' reads a folder as a plate; leave it out, or  as: sources",
    ],
    ['source: a\nas: plates', "x.yaml:2: as is 'plates'; write one of plate, sources"],
    [
      `sources: [${Array.from({ length: 101 }, (_, i) => `p${i}`).join(', ')}]`,
      'x.yaml:1: sources are 101; there may be 100',
    ],
  ])('of sources %j', async (text, expected) => {
    expect(await complaint(text)).toBe(expected);
  });

  it('lets a step have a name of its own', async () => {
    const twice = RULE.replace('- otsu', '- gaussian: { sigma: 5 }\n        as: coarse');
    expect((await read(twice)).hooks[0]?.steps[1]).toEqual({
      hook: 'gaussian',
      params: { sigma: 5 },
      name: 'coarse',
    });
  });

  it('reads only the rules for --hooks', async () => {
    writeFileSync(file, RULE.replace('source: ./plate1\n', ''));
    expect((await readHookRules(file, PLAIN_HOOKS)).map(({ name }) => name)).toEqual(['nuclei']);
  });

  it.each([
    ['', "x.yaml:1: is empty; it needs at least 'source'"],
    ['mountpoint: /mnt', "x.yaml:1: lacks 'source'; write for example  source: ./plate1"],
    ['source: /p\nmountpiont: /m', "x.yaml:2: unknown key 'mountpiont'; did you mean 'mountpoint'?"],
    ['source: /p\nread_only: true', "x.yaml:2: unknown key 'read_only'; did you mean 'read-only'?"],
    [
      'source: /p\nnames: "{z}{t}{ext}"',
      "x.yaml:2: names: '{z}{t}{ext}' has {t} right behind {z}, so that nobody could tell where z ends; write {z:03}, or '_' between",
    ],
    [
      'source: /p\noptions: {}\nlayout: "*.tif"',
      "x.yaml:3: layout: '*.tif' says nothing of well, site, channel, z or t; write for instance {well}_{site}.tif",
    ],
    ['source: /p\nnames: 3', 'x.yaml:2: names must be text, not 3'],
    [
      'source: /p\nxyzzy: 1',
      "x.yaml:2: unknown key 'xyzzy'; known: source, sources, mountpoint, as, names, layout, output, state, branch, budget, read-only, options, hooks",
    ],
    ['source: 5', 'x.yaml:1: source must be text, not 5; write for example  source: ./plate1'],
    ['source: /p\nread-only: "yes"', "x.yaml:2: read-only must be true or false, not 'yes'"],
    ['source: /p\nbudget: lots', "x.yaml:2: budget: 'lots' is no size; write it like 512MiB or 2GiB"],
    [
      'source: /p\noptions:\n  allow-other: true\n  reader: 2',
      "x.yaml:4: unknown key 'reader' in options; did you mean 'readers'?",
    ],
    ['source: /p\noptions: { ngff: 0.3 }', /x\.yaml:2: options\.ngff is 0\.3/],
    ['source: /p\noptions: { readers: 0 }', 'x.yaml:2: options.readers is 0; it must be >= 1'],
    ['- a\n- b', 'x.yaml:1: the file must be a mapping (key: value), not ["a","b"]'],
    ['source: /p\nsource: /q', 'x.yaml:2: Map keys must be unique'],
    ['source: [1,', /^x\.yaml:1: Flow sequence .*must .*\]/],
    ['source: /p\nhooks:\n\t- a', /^x\.yaml:3: .*[Tt]abs/],
  ])('%j', async (text, expected) => {
    const said = await complaint(text);
    if (typeof expected === 'string') expect(said).toBe(expected);
    else expect(said).toMatch(expected);
  });

  it.each([
    ['- otsu', '- ostu', "x.yaml:7: unknown operation 'ostu'; did you mean 'otsu'?"],
    ['- gaussian:', '- gausian:', "x.yaml:6: unknown operation 'gausian'; did you mean 'gaussian'?"],
    ['sigma: 2', 'simga: 2', "x.yaml:6: 'gaussian' has no parameter 'simga'; did you mean 'sigma'?"],
    ['{ sigma: 2 }', '{}', "x.yaml:6: 'gaussian' needs 'sigma'; write gaussian: { sigma: … }"],
    ['sigma: 2', 'sigma: 0', 'x.yaml:6: hooks[1].steps[1].gaussian.sigma is 0; it must be > 0'],
    ['sigma: 2', 'sigma: two', "x.yaml:6: hooks[1].steps[1].gaussian.sigma must be a number, not 'two'"],
    [
      'connectivity: 4',
      'connectivity: 6',
      'x.yaml:9: hooks[1].steps[4].label.connectivity is 6; write one of 4, 8',
    ],
    [
      '- measure\n',
      '- measure: { area: 1 }\n',
      "x.yaml:10: 'measure' takes no parameters, so 'area' means nothing",
    ],
    ['radius: 3', 'radius: 13', "x.yaml:8: 'binary-opening': radius: 13 is unlucky; write 12"],
    [
      '- otsu',
      '- { otsu: {}, measure: {} }',
      'x.yaml:7: a step must name exactly one operation; put each operation on its own line that starts with -',
    ],
    ['- otsu', '- measure', "x.yaml:10: two steps are called 'measure'; give one another name with 'as: …'"],
    [
      '      label: "results',
      '      labels: "results',
      "x.yaml:12: no step is called 'labels'; did you mean 'label'?",
    ],
    ['{stem}_labels', '{stm}_labels', "x.yaml:12: unknown placeholder '{stm}'; did you mean 'stem'?"],
    [
      'results/{stem}_labels.tif',
      '{dir}/{stem}_labels.tif',
      "x.yaml:12: '{dir}/{stem}_labels.tif' would start its own rule again ('inbox/*.tif'); write it to another folder",
    ],
    [
      'results/{stem}_labels.tif',
      '../{stem}.tif',
      "x.yaml:12: '../{stem}.tif' must lie below the mount; write it like results/{stem}.tif",
    ],
    [
      'on: "inbox',
      'on: "/inbox',
      "x.yaml:4: '/inbox/*.tif' must lie below the mount; write it like inbox/*.tif",
    ],
    ['name: nuclei\n', 'nam: nuclei\n', "x.yaml:3: unknown key 'nam' in hooks[1]; did you mean 'name'?"],
  ])('in a rule, %j as %j', async (from, to, expected) => {
    expect(RULE).toContain(from);
    expect((await complaint(RULE.replace(from, to))).split('\n').sort()).toEqual(expected.split('\n').sort());
  });

  it('lists every fault, in the order of lines', async () => {
    const said = await complaint(RULE.replace('sigma: 2', 'sigma: 0').replace('source:', 'sorce:'));
    expect(said.split('\n').map((line) => line.slice(0, 9))).toEqual(['x.yaml:1:', 'x.yaml:6:']);
  });

  it('refuses files that are no definitions', async () => {
    await expect(readMountDefinition(join(folder, 'none.yaml'))).rejects.toThrow('there is no such file');
    await expect(readMountDefinition(folder)).rejects.toThrow('is not a file');
    await expect(read(`source: "${'x'.repeat(2 ** 21)}"`)).rejects.toThrow('too large');
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${[...'bcdefgh']
      .map((name, index) => `${name}: &${name} [${`*${'abcdefg'[index]},`.repeat(10)}]`)
      .join('\n')}`;
    await expect(read(bomb)).rejects.toThrow(BadDefinitionError);
  });
});
