/**
 * Decoding a 2048 × 2048 uint16 TIFF: this project against tifffile (one Python process, import not counted)
 * and tiffcp (whole process), best of several runs. Prints JSON lines; `ratio` is our time divided by theirs.
 * Needs Debian's python3-tifffile and libtiff-tools.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadById } from '../../src/core/plugin.ts';
import { SOURCES } from '../../src/registry.generated.ts';

const RUNS = 7;
const PYTHON = '/usr/bin/python3';

const WRITE = `
import sys, numpy, tifffile
rng = numpy.random.default_rng(1)
y, x = numpy.mgrid[0:2048, 0:2048]
blobs = sum(3000 * numpy.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 800.0) for cx, cy in rng.integers(0, 2048, (40, 2)))
tifffile.imwrite(sys.argv[1], rng.poisson(200 + blobs).astype('uint16'), rowsperstrip=64)
`;
const READ = `
import sys, time, json, tifffile
best = {}
for path in sys.argv[1:]:
    times = []
    for _ in range(${RUNS}):
        start = time.perf_counter()
        try: tifffile.imread(path)
        except Exception: times = None; break
        times.append((time.perf_counter() - start) * 1000)
    best[path] = min(times) if times else None
print(json.dumps(best))
`;

function bestMs(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let index = 0; index < RUNS; index++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

const folder = mkdtempSync(join(tmpdir(), 'platefs-bench-tiff-'));
try {
  const driver = await loadById(SOURCES, 'tiff');
  const plain = join(folder, 'none.tif');
  execFileSync(PYTHON, ['-c', WRITE, plain]);
  const variants = {
    none: 'none',
    lzw: 'lzw',
    'lzw-predictor': 'lzw:2',
    deflate: 'zip',
    'deflate-predictor': 'zip:2',
  };
  const paths = Object.entries(variants).map(([name, codec]) => {
    const path = join(folder, `${name}-made.tif`);
    execFileSync('tiffcp', ['-r', '64', '-c', codec, plain, path]);
    return { name, path };
  });
  const tifffileMs = JSON.parse(
    execFileSync(PYTHON, ['-c', READ, ...paths.map(({ path }) => path)], { encoding: 'utf8' }),
  ) as Record<string, number | null>;
  for (const { name, path } of paths) {
    const ours = bestMs(() => driver?.readPlaneSync?.(path, 0));
    const copy = bestMs(() => {
      spawnSync('tiffcp', ['-c', 'none', path, join(folder, 'copy.tif')]);
    });
    const python = tifffileMs[path] ?? undefined;
    const base = {
      bench: 'tiff-decode',
      image: '2048x2048 uint16',
      variant: name,
      ms: Number(ours.toFixed(2)),
    };
    console.log(
      JSON.stringify({
        ...base,
        against: 'tiffcp',
        theirMs: Number(copy.toFixed(2)),
        ratio: Number((ours / copy).toFixed(2)),
      }),
    );
    if (python === undefined) continue;
    console.log(
      JSON.stringify({
        ...base,
        against: 'tifffile',
        theirMs: Number(python.toFixed(2)),
        ratio: Number((ours / python).toFixed(2)),
      }),
    );
  }
  const memory = new Uint8Array(2048 * 2048 * 2);
  for (const { name, path } of paths) {
    const ms = bestMs(() => driver?.readPlaneSync?.(path, 0, memory));
    console.log(JSON.stringify({ bench: 'tiff-decode-into', variant: name, ms: Number(ms.toFixed(2)) }));
  }
  const heads = 2000;
  const headUs =
    (bestMs(() => {
      for (let index = 0; index < heads; index++) driver?.probeSync?.(plain);
    }) /
      heads) *
    1000;
  console.log(JSON.stringify({ bench: 'tiff-head', us: Number(headUs.toFixed(1)) }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
