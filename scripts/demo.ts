/**
 * `npm run demo [-- PLATE]`: makes a plate (or takes yours), mounts it, reads it with ordinary programs, writes an
 * image, waits for the hook, lands the results and unmounts. Everything it makes lies in ./demo, or in a temporary
 * folder where that can't be written; a plate of yours is only read.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, extname, join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { demonstrate, hasProgram, heading, ProgressLine, run, show } from './demo-session.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PLATEFS = join(ROOT, 'bin/platefs');
const HOOK_LIMIT_MS = 40_000;
const POLL_MS = 100;

/** Where the demo puts things. */
interface Places {
  readonly base: string;
  readonly plate: string;
  readonly mountpoint: string;
  readonly output: string;
  readonly state: string;
  readonly definition: string;
}

const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupt.abort());

function baseFolder(): string {
  try {
    accessSync(ROOT, constants.W_OK);
    return join(ROOT, 'demo');
  } catch {
    return mkdtempSync(join(tmpdir(), 'platefs-demo-'));
  }
}

function choosePlaces(given: string | undefined): Places {
  const base = baseFolder();
  return {
    base,
    plate: given === undefined ? join(base, 'plate1') : resolve(given),
    mountpoint: join(base, 'mnt'),
    output: join(base, 'results'),
    state: join(base, 'state'),
    definition: join(base, 'nuclei.yaml'),
  };
}

/** Runs `platefs … --json`. @throws Error with its own words when it fails. */
async function platefs(...args: string[]): Promise<unknown> {
  const { stdout, stderr } = await run(PLATEFS, [...args, '--json']);
  let document: unknown;
  try {
    document = JSON.parse(stdout);
  } catch {
    throw new Error(`platefs ${args[0]} said no JSON: ${stdout}${stderr}`);
  }
  const { error } = document as { error?: { message: string; advice?: string } };
  if (error) throw new Error(error.advice ? `${error.message} (${error.advice})` : error.message);
  return document;
}

async function checkMachine(): Promise<void> {
  const { findings } = (await platefs('doctor')) as {
    findings: { verdict: string; check: string; detail: string; advice?: string }[];
  };
  const failed = findings.filter(({ verdict }) => verdict === 'fail');
  if (failed.length === 0) return;
  const lines = failed.map(({ check, detail, advice }) => `  ${check}: ${detail}\n    → ${advice}`);
  throw new Error(
    `this machine can't mount yet. PlateFS needs root, or the package fuse3 (sudo apt-get install fuse3):\n${lines.join('\n')}`,
  );
}

async function isMounted(mountpoint: string): Promise<boolean> {
  const table = readFileSync('/proc/self/mountinfo', 'utf8');
  return table.includes(` ${mountpoint.replaceAll('\\', '\\134').replaceAll(' ', '\\040')} `);
}

/** Never leaves a mount behind: the polite way first, then the certain one. */
async function unmountAnyway({ mountpoint }: Places): Promise<void> {
  if (!(await isMounted(mountpoint))) return;
  await run(PLATEFS, ['umount', mountpoint, '--timeout', '20'], 30_000);
  for (let tries = 0; (await isMounted(mountpoint)) && tries < 3; tries++) {
    const asRoot = process.getuid?.() === 0;
    await run(
      asRoot ? 'umount' : 'fusermount3',
      asRoot ? ['-l', mountpoint] : ['-u', '-z', mountpoint],
      10_000,
    );
  }
}

/** Clears what an earlier demo made; nothing else ever lies at these names. */
async function prepare(places: Places, makesPlate: boolean): Promise<void> {
  await unmountAnyway(places);
  const made = [places.mountpoint, places.output, places.state, ...(makesPlate ? [places.plate] : [])];
  for (const path of made) rmSync(path, { recursive: true, force: true });
  mkdirSync(places.mountpoint, { recursive: true });
  const example = readFileSync(join(ROOT, 'mounts/nuclei.yaml'), 'utf8');
  const rules = example.slice(example.indexOf('hooks:'));
  const head = {
    source: places.plate,
    mountpoint: places.mountpoint,
    output: places.output,
    state: places.state,
  };
  // A JSON string is a YAML string.
  const lines = Object.entries(head).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  writeFileSync(places.definition, lines.join('') + rules);
}

async function makePlate({ plate }: Places): Promise<void> {
  heading(
    'Making an ImageXpress plate: nuclei and cytoplasm, 4 wells, 2 fields, 2 channels, 3 z steps, 2 time points',
  );
  const options = ['--wells', 'A01-B02', '--sites', '2', '--z', '3', '--size', '512', '--seed', '7'];
  const { status, stdout, stderr } = await run(process.execPath, [
    join(ROOT, 'scripts/make-plate.ts'),
    plate,
    ...options,
  ]);
  if (status !== 0) throw new Error(`the plate could not be made: ${stderr}`);
  show(stdout);
}

async function tree(folder: string, limit: number): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
    .slice(0, limit);
}

/** Reads the mount as people would. @returns the plane that is then written. */
async function readOrdinarily(mountpoint: string): Promise<string> {
  heading('Reading it with ordinary programs');
  await demonstrate('ls', ['-l', mountpoint]);
  const images = join(mountpoint, 'images');
  const names = await readdir(images);
  const plane = names.find((name) => /_w1_z0*[1-9]\d*_/.test(name)) ?? names[0];
  if (plane === undefined) throw new Error('the plate has no planes');
  console.log(`  ${names.length} planes in images/:`);
  await demonstrate('ls', [images], 6);
  const path = join(images, plane);
  await demonstrate('cksum', [path]);
  if (hasProgram('getfattr')) {
    const { status, stdout } = await run('getfattr', ['--only-values', '-n', 'user.platefs.source', path]);
    const original = join(mountpoint, 'source', stdout.trim());
    if (status === 0 && existsSync(original)) {
      await demonstrate('cmp', [path, original]);
      console.log('  the same bytes as the microscope wrote');
    }
  }
  const stacks = join(mountpoint, 'stacks');
  const stack = (await readdir(stacks)).find((name) => name.endsWith('.ome.tif'));
  if (stack !== undefined && hasProgram('tiffinfo'))
    await demonstrate('tiffinfo', ['-0', join(stacks, stack)], 8);
  if (stack !== undefined) await readWithPython(join(stacks, stack));
  return path;
}

async function readWithPython(stack: string): Promise<void> {
  // Debian's packages belong to Debian's own Python.
  const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
  if (!hasProgram('python3') || (await run(python, ['-c', 'import tifffile'])).status !== 0) return;
  const code =
    'import sys, tifffile; s = tifffile.TiffFile(sys.argv[1]).series[0]; a = s.asarray(); print(s.axes, a.shape, a.dtype, "mean", round(float(a.mean()), 1))';
  await demonstrate(python, ['-c', code, stack]);
}

async function waitForHook({ mountpoint }: Places, wanted: readonly string[]): Promise<void> {
  const startMs = performance.now();
  const line = new ProgressLine();
  for (;;) {
    if (interrupt.signal.aborted) throw new Error('interrupted');
    const sizes = await Promise.all(
      wanted.map((path) =>
        stat(path).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
    if (sizes.every((sizeBytes) => sizeBytes > 0)) break;
    const elapsedMs = performance.now() - startMs;
    if (elapsedMs > HOOK_LIMIT_MS) {
      const status = JSON.stringify(await platefs('status', mountpoint), null, 2);
      throw new Error(`the hook made no output in ${HOOK_LIMIT_MS / 1000} s:\n${status}`);
    }
    line.update(`waiting for the hook: ${(elapsedMs / 1000).toFixed(1)} s`);
    await delay(POLL_MS);
  }
  line.end();
  console.log(`  done after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
}

async function writeAndProcess(places: Places, plane: string): Promise<void> {
  const { mountpoint, output } = places;
  heading('Writing an image into inbox/: the rule "nuclei" starts when the file is closed');
  const inbox = join(mountpoint, 'inbox');
  const written = join(inbox, basename(plane));
  const stem = basename(plane, extname(plane));
  await demonstrate('mkdir', [inbox]);
  await demonstrate('cp', [plane, written]);
  const table = join(mountpoint, `results/${stem}_objects.csv`);
  await waitForHook(places, [join(mountpoint, `results/${stem}_labels.tif`), table]);
  await demonstrate('ls', ['-l', join(mountpoint, 'results')]);
  await demonstrate('head', ['-n', '4', table]);
  const objects = (await run('grep', ['-c', '^[0-9]', table])).stdout.trim();
  console.log(`  ${objects} nuclei`);

  heading('Landing: written images become OME-Zarr in the output folder');
  await demonstrate(PLATEFS, ['flush', mountpoint]);
  show((await tree(output, 24)).join('\n'), 16);
  await demonstrate('cmp', [plane, written]);
  console.log('  and through the mount the image still has the very bytes that were written');
}

async function main(): Promise<void> {
  const startMs = performance.now();
  const [given] = process.argv.slice(2);
  if (given !== undefined && !existsSync(given))
    throw new Error(`there is no plate at ${given}; check the path`);
  const places = choosePlaces(given);
  await checkMachine();
  await prepare(places, given === undefined);
  if (given === undefined) await makePlate(places);
  try {
    heading('What PlateFS sees');
    await demonstrate(PLATEFS, ['inspect', places.plate], 30);
    heading('Mounting it');
    await demonstrate(PLATEFS, ['mount', places.definition]);
    const plane = await readOrdinarily(places.mountpoint);
    if (interrupt.signal.aborted) throw new Error('interrupted');
    await writeAndProcess(places, plane);
    heading('Unmounting');
    await demonstrate(PLATEFS, ['umount', places.mountpoint]);
  } finally {
    await unmountAnyway(places);
  }
  heading(`Done in ${((performance.now() - startMs) / 1000).toFixed(0)} s. Everything lies here:`);
  show(
    [
      `plate       ${places.plate}`,
      `results     ${places.output}`,
      `definition  ${places.definition}`,
      `Mount it again with   bin/platefs mount ${places.definition}`,
    ].join('\n'),
  );
}

try {
  await main();
} catch (error) {
  console.error(`\ndemo: ${error instanceof Error ? error.message : error}`);
  process.exitCode = interrupt.signal.aborted ? 130 : 1;
}
