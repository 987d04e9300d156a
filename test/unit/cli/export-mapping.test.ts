import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makePlate } from '../../../scripts/plate-maker/plate-maker.ts';
import { runCommandLine } from '../../../src/cli/command-line.ts';
import { updateOpenHcsMetadata } from '../../../src/cli/openhcs-metadata-file.ts';
import { AlreadyRunningError } from '../../../src/core/errors.ts';
import { openPlate } from '../../../src/tree/open-plate.ts';
import { CANONICAL, putMetadata, putNamedArray } from '../../fixtures/openhcs-plate.ts';

const DATA = resolve(import.meta.dirname, '../../../../shared/data');
const PYTHON = '/usr/bin/python3';

let folder = '';
let saved = { ...process.env };
beforeEach(() => {
  saved = { ...process.env };
  folder = mkdtempSync(join(tmpdir(), 'platefs-export-'));
  process.env['XDG_CACHE_HOME'] = join(folder, 'cache');
});
afterEach(() => {
  process.env = { ...saved };
  rmSync(folder, { recursive: true, force: true });
});

async function run(...argv: string[]) {
  let stdout = '';
  let stderr = '';
  const status = await runCommandLine(['export-mapping', ...argv], {
    version: '1',
    signal: new AbortController().signal,
    out: { write: (text) => (stdout += text) },
    err: { write: (text) => (stderr += text) },
  });
  return { status, stdout, stderr };
}

async function plate(name = 'plate') {
  const { root, planes } = await makePlate(join(folder, name), {
    width: 16,
    height: 16,
    wells: ['A01', 'B02'],
    sites: 2,
    zSteps: 2,
  });
  return { root, mapping: Object.fromEntries(planes.map(({ name: key, source }) => [key, source])) };
}

interface Subdirectory extends Record<string, unknown> {
  workspace_mapping: Record<string, unknown>;
}
const readSubdirectories = (file: string) =>
  (JSON.parse(readFileSync(file, 'utf8')) as { subdirectories: Record<string, Subdirectory> }).subdirectories;

/** Names of a folder and below it, with what is in the files. */
const snapshot = (root: string): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => (statSync(path).isFile() ? `${path} ${readFileSync(path).toString('base64')}` : path))
    .sort();

/** What another program makes of the file: the documented shape, every file there, nothing twice. */
function checkWithPython(file: string, root: string, version: 1 | 2): void {
  const script = `
import json, os, re, sys
path, root, version = sys.argv[1], sys.argv[2], int(sys.argv[3])
document = json.load(open(path, encoding='utf-8'))
for key, one in document['subdirectories'].items():
    mapping = one.get('workspace_mapping')
    if not mapping: continue
    assert isinstance(one['microscope_handler_name'], str)
    assert one['source_filename_parser_name'] == 'ImageXpressFilenameParser'
    assert one['available_backends']['virtual_workspace'] is True
    if 'grid_dimensions' in one: assert [type(x) for x in one['grid_dimensions']] == [int, int]
    if 'pixel_size' in one: assert isinstance(one['pixel_size'], (int, float))
    sources = []
    for virtual, value in mapping.items():
        name = virtual if key == '.' else virtual[len(key) + 1:]
        match = re.fullmatch(r'([A-Z])(\\d{2})_s(\\d{3,})_w(\\d+)_z(\\d{3,})_t(\\d{3,})\\.(tif|TIF|tiff)', name)
        assert match, virtual
        assert match[1] + match[2] in one['wells'] and str(int(match[3])) in one['sites']
        assert match[4] in one['channels'] and str(int(match[5])) in one['z_indexes'] and str(int(match[6])) in one['timepoints']
        if version == 2:
            assert set(value) == {'backend', 'backend_address', 'source_axis_indices'} and value['backend'] == 'disk' and value['source_axis_indices'] == []
            value = value['backend_address']
        assert not os.path.isabs(value) and os.path.isfile(os.path.join(root, value)), value
        sources.append(value)
    assert len(set(sources)) == len(sources)
    print(len(sources))
`;
  expect(
    Number(execFileSync(PYTHON, ['-c', script, file, root, String(version)], { encoding: 'utf8' })),
  ).toBeGreaterThan(0);
}

describe('platefs export-mapping', () => {
  it.each([1, 2] as const)(
    'writes a mapping of version %i to the file that is named, and nothing else',
    async (version) => {
      const { root, mapping } = await plate();
      const before = snapshot(root);
      const file = join(folder, 'openhcs_metadata.json');
      const { status, stdout, stderr } = await run(
        root,
        '--to',
        file,
        '--json',
        '--mapping-version',
        String(version),
      );
      expect([status, stderr]).toEqual([0, '']);
      expect(JSON.parse(stdout)).toEqual({
        file,
        plate: root,
        subdirectory: '.',
        version,
        planes: Object.keys(mapping).length,
        replaced: false,
        notes: [],
      });
      const written = readSubdirectories(file)['.']?.workspace_mapping ?? {};
      const paths = Object.entries(written).map(([name, value]) => [
        name,
        version === 1 ? value : (value as { backend_address: string }).backend_address,
      ]);
      expect(Object.fromEntries(paths)).toEqual(mapping);
      checkWithPython(file, root, version);
      expect(snapshot(root)).toEqual(before);
      expect(readdirSync(folder).filter((name) => /tmp|lock/.test(name))).toEqual([]);
    },
  );

  it('says in a sentence what it did', async () => {
    const { root } = await plate();
    const file = join(folder, 'm.json');
    expect((await run(root, '--to', file)).stdout).toBe(
      `32 planes are named in ${file} (workspace_mapping version 1 of '.')\n`,
    );
  });

  it('writes into the plate only when told, and PlateFS agrees with what it wrote', async () => {
    const { root, mapping } = await plate();
    expect(await run(root)).toMatchObject({ status: 2, stderr: expect.stringContaining('--in-plate') });
    const inside = join(root, 'openhcs_metadata.json');
    expect(await run(root, '--to', inside)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--in-plate'),
    });
    symlinkSync(inside, join(folder, 'link.json'));
    writeFileSync(inside, JSON.stringify({ subdirectories: {} }));
    expect((await run(root, '--to', join(folder, 'link.json'))).status).toBe(2);
    rmSync(inside);
    expect((await run(root, '--in-plate')).status).toBe(0);
    expect(readSubdirectories(inside)['.']?.workspace_mapping).toEqual(mapping);
    expect(readdirSync(root).filter((name) => /tmp|lock/.test(name))).toEqual([]);
    const { index } = await openPlate(root, { signal: new AbortController().signal, cacheDir: null });
    expect([index.facts.format, index.warnings]).toEqual(['imagexpress', []]);
  });

  it('keeps the version, the keys and the numbers that the file has', async () => {
    const { root } = await plate();
    const file = join(root, 'openhcs_metadata.json');
    writeFileSync(
      file,
      `{"future": {"id": 12345678901234567890, "ratio": 1.0}, "subdirectories": {
        "images": {"main": true, "image_files": ["images/x.tif"], "note": null},
        "Images": {"microscope_handler_name": "opera_phenix", "mine": [1e3], "image_files": [], "available_backends": {"disk": true, "omero_local": false},
          "source_projection": [], "channels": {"1": "mine", "9": "gone"},
          "workspace_mapping": {"Images/a.tif": {"backend": "disk", "backend_address": "b.tif", "source_axis_indices": []}}}}}`,
    );
    chmodSync(file, 0o640);
    const { status, stdout } = await run(root, '--in-plate', '--json');
    const { version, subdirectory, replaced, notes } = JSON.parse(stdout) as {
      version: number;
      subdirectory: string;
      replaced: boolean;
      notes: string[];
    };
    expect([status, version, subdirectory, replaced]).toEqual([0, 2, 'Images', true]);
    expect(notes).toEqual([
      expect.stringContaining('opens the subdirectory images'),
      expect.stringContaining('source_projection'),
    ]);
    const text = readFileSync(file, 'utf8');
    for (const kept of ['"id": 12345678901234567890', '"ratio": 1.0', '1e3']) expect(text).toContain(kept);
    const after = readSubdirectories(file);
    expect(after['images']).toEqual({ main: true, image_files: ['images/x.tif'], note: null });
    expect(after['Images']).toMatchObject({
      microscope_handler_name: 'opera_phenix',
      available_backends: { disk: true, omero_local: false, virtual_workspace: true },
      source_projection: [],
    });
    expect(after['Images']?.['image_files']).toEqual(Object.keys(after['Images']?.workspace_mapping ?? {}));
    expect(Object.keys(after['Images']?.workspace_mapping ?? {})[0]).toMatch(/^Images\/A01_s001/);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    checkWithPython(file, root, 2);
  });

  it.each([
    '',
    '{"subdirectories": {',
    '[]',
    '{"image_files": []}',
    '{"subdirectories": 5}',
    `${'['.repeat(300_000)}`,
    '{"subdirectories": {"a": NaN}}',
  ])('leaves a file alone that it does not understand: %#', async (text) => {
    const { root } = await plate();
    const inside = join(root, 'openhcs_metadata.json');
    const outside = join(folder, 'some.json');
    for (const [file, ...args] of [
      [inside, '--in-plate'],
      [outside, '--to', outside],
    ] as const) {
      writeFileSync(file, text);
      const { status, stderr } = await run(root, ...args);
      expect([status, readFileSync(file, 'utf8')]).toEqual([1, text]);
      expect(stderr).toContain(file);
      expect(stderr).toContain('nothing was changed');
    }
    expect(readdirSync(root).filter((name) => /tmp|lock/.test(name))).toEqual([]);
  });

  it('refuses planes that are no files of their own', async () => {
    const root = join(folder, 'zarr');
    putNamedArray(join(root, 'images/A/01/0/0'), [1, 1, 1], 'polystore_filename_map', {
      'A01_s001_w1_z001_t001.tif': [0, 0, 0],
    });
    putMetadata(root, { images: { ...CANONICAL, available_backends: { zarr: true } } });
    const { status, stderr } = await run(root, '--to', join(folder, 'm.json'));
    expect([status, existsSync(join(folder, 'm.json'))]).toEqual([1, false]);
    expect(stderr).toContain('images/A/01/0/0/.zarray holds several planes');
  });

  it('tells rows that OpenHCS has no names for, and facts that are missing', async () => {
    const root = join(folder, 'odd');
    mkdirSync(root);
    for (const well of ['A01', 'AF02']) writeFileSync(join(root, `x_${well}_s1_w1.tif`), 'no TIFF');
    const { status, stdout } = await run(root, '--to', join(folder, 'm.json'), '--json');
    expect([status, (JSON.parse(stdout) as { notes: string[] }).notes]).toEqual([
      0,
      [
        expect.stringContaining('pixel_size'),
        expect.stringContaining('grid_dimensions'),
        expect.stringContaining('1 planes lie in rows beyond Z'),
      ],
    ]);
  });

  it.skipIf(!existsSync(DATA))(
    'names a real plate as OpenHCS itself does (skipped where ../shared/data is absent)',
    async () => {
      const file = join(folder, 'm.json');
      for (const [name, version] of [
        ['ix-exported-3434.openhcs-0.5.15.json', 1],
        ['ix-exported-3434.structured.json', 2],
      ] as const) {
        const theirs = join(DATA, 'openhcs-metadata', name);
        writeFileSync(file, readFileSync(theirs));
        expect((await run(join(DATA, 'ix-exported-3434'), '--to', file)).status).toBe(0);
        expect(readSubdirectories(file)['.']).toMatchObject(readSubdirectories(theirs)['.'] ?? {});
        checkWithPython(file, join(DATA, 'ix-exported-3434'), version);
      }
    },
  );
});

describe('the lock of openhcs_metadata.json', () => {
  const holder = `
import fcntl, os, sys, time
lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX); print('held', flush=True)
sys.stdin.readline()
open(sys.argv[2], 'w').write('{"subdirectories": {"by": {"the": "other"}}}')
os.unlink(sys.argv[1])`;
  const children: ReturnType<typeof spawn>[] = [];
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
  });

  async function hold(file: string) {
    const child = spawn(PYTHON, ['-c', holder, `${file}.lock`, file], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    await new Promise((done) => child.stdout.once('data', done));
    return child;
  }

  it('is waited for, and what its holder wrote is kept', async () => {
    const file = join(folder, 'openhcs_metadata.json');
    const child = await hold(file);
    let waits = 0;
    const signal = new AbortController().signal;
    const onWait = (): void => {
      waits += 1;
      if (waits === 2) child.stdin.end('\n');
    };
    const result = await updateOpenHcsMetadata(file, (current) => ({ ...current, more: 1 }), {
      signal,
      onWait,
    });
    expect([result, waits >= 2]).toEqual([{ isLocked: true, replaced: true }, true]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      subdirectories: { by: { the: 'other' } },
      more: 1,
    });
    expect(readdirSync(folder)).toEqual(['openhcs_metadata.json']);
  });

  it('is given up on after a time, and nothing is changed', async () => {
    const file = join(folder, 'openhcs_metadata.json');
    const child = await hold(file);
    const update = { signal: new AbortController().signal, onWait: () => {}, timeoutMs: 200 };
    await expect(updateOpenHcsMetadata(file, () => ({}), update)).rejects.toBeInstanceOf(AlreadyRunningError);
    expect(readdirSync(folder)).toEqual(['openhcs_metadata.json.lock']);
    child.kill('SIGKILL');
  });

  it('lets two writers change the file one after another', async () => {
    const file = join(folder, 'openhcs_metadata.json');
    const signal = new AbortController().signal;
    await Promise.all(
      Array.from({ length: 6 }, (_, writer) =>
        updateOpenHcsMetadata(
          file,
          (current) => ({ subdirectories: {}, ...current, [`w${writer}`]: writer }),
          {
            signal,
            onWait: () => {},
          },
        ),
      ),
    );
    expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')) as object).sort()).toEqual(
      ['subdirectories', ...Array.from({ length: 6 }, (_, writer) => `w${writer}`)].sort(),
    );
  });
});
