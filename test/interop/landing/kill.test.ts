import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NO_WRAPPER_TIER_UP } from '../../../src/daemon/daemon-flags.ts';
import { LandedReader } from '../../../src/materializer/landed-reader.ts';
import type { LandResult } from '../../../src/materializer/landing-commit.ts';
import { ByteCache } from '../../../src/memory/byte-cache.ts';
import type { LandingFormat } from '../../../src/model/landing-format.ts';
import { ngffProblems } from './ngff-problems.ts';
import { smallTiff } from './small-tiff.ts';

const KILLS = 24;
const PARALLEL = 2;
const CHILD = join(import.meta.dirname, 'land-forever.ts');

interface Run {
  readonly landed: LandResult[] | undefined;
  readonly lastedMs: number;
}

/** Of the stores, in turn. */
const FORMATS: readonly LandingFormat[] = [
  {},
  { chunks: 'sharded', levels: 2 },
  { ngff: '0.5' },
  { chunks: 'well', codec: { name: 'zstd', level: 1 } },
];

/** Lands in a child; killed `killAfterMs` after it has begun, when that is given. */
function landInChild(
  input: string,
  output: string,
  format: LandingFormat,
  killAfterMs: number | undefined,
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [NO_WRAPPER_TIER_UP, CHILD, input, output, JSON.stringify(format)],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let text = '';
    let errors = '';
    let beganMs = 0;
    child.stderr.on('data', (data) => {
      errors += data;
    });
    child.stdout.on('data', (data) => {
      text += data;
      if (beganMs !== 0) return;
      beganMs = performance.now();
      if (killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    });
    child.on('close', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') reject(new Error(errors));
      const line = text.split('\n')[1];
      resolve({ landed: line ? JSON.parse(line) : undefined, lastedMs: performance.now() - beganMs });
    });
  });
}

describe('a landing that is killed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'platefs-kill-'));
  const input = join(folder, 'in');
  beforeAll(() => {
    mkdirSync(input);
    let seed = 1;
    for (const well of ['B02', 'A01', 'C11'])
      for (const [channel, t] of [
        [1, 1],
        [2, 1],
        [1, 2],
        [2, 2],
      ])
        writeFileSync(join(input, `${well}_s001_w${channel}_z001_t00${t}.tif`), smallTiff(48, 40, seed++));
    writeFileSync(join(input, 'A01_s001_w1_z000_t001.tif'), smallTiff(48, 40, 77));
    writeFileSync(join(input, 'A01_s002_w1_z001_t001_labels.tif'), smallTiff(30, 20, 78));
    writeFileSync(join(input, 'A01_s001_w1_z001_t001_labels.tif'), smallTiff(48, 40, 80));
    writeFileSync(join(input, 'A01_s001_w1_z001_t002_labels.tif'), smallTiff(48, 40, 81));
    writeFileSync(join(input, 'overview.tif'), smallTiff(64, 64, 79));
    writeFileSync(join(input, 'table.csv'), 'well,count\nA01,7\n');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function checkComplete(output: string, format: LandingFormat): Promise<void> {
    const { landed } = await landInChild(input, output, format, undefined);
    expect(ngffProblems(join(output, 'results.ome.zarr'))).toEqual([]);
    const reader = new LandedReader(output, new ByteCache(1 << 20));
    expect(landed?.length).toBe(18);
    for (const result of landed ?? []) {
      if (!('landing' in result)) throw new Error(JSON.stringify(result));
      const { landing } = result;
      const bytes = readFileSync(join(input, landing.mountPath.slice('images/'.length)));
      const back = Buffer.alloc(bytes.length);
      reader.readSync(landing, 0, back.length, back);
      expect([landing.mountPath, landing.note, back.equals(bytes)]).toEqual([
        landing.mountPath,
        undefined,
        true,
      ]);
    }
  }

  it(`leaves a valid store at every instant, and landing again completes it (${KILLS} kills)`, async () => {
    const whole = await landInChild(input, join(folder, 'whole'), {}, undefined);
    const lanes = Array.from({ length: PARALLEL }, async (_, lane) => {
      let output = join(folder, `out${lane}-0`);
      let format: LandingFormat = {};
      for (let kill = 0; kill < KILLS / PARALLEL; kill++) {
        // Every fourth kill starts with an empty folder, the others go on with what the last one left.
        if (kill % 4 === 0) {
          output = join(folder, `out${lane}-${kill}`);
          format = FORMATS[(kill / 4 + 2 * lane) % FORMATS.length] ?? {};
        }
        await landInChild(input, output, format, Math.random() * whole.lastedMs * 1.1);
        expect(ngffProblems(join(output, 'results.ome.zarr'))).toEqual([]);
        if (kill % 4 === 3) await checkComplete(output, format);
      }
    });
    await Promise.all(lanes);
  });
});
