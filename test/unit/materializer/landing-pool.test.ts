import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { LandingPool } from '../../../src/materializer/landing-pool.ts';
import type { SealedFile } from '../../../src/materializer/sealed-file.ts';

const never = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), 'platefs-pool-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const script = join(folder, 'worker.mjs');
/** Answers with the group's length; ends at once when a file is called `fatal`, fails those called `bad`. */
writeFileSync(
  script,
  `import { parentPort } from 'node:worker_threads';
   parentPort.on('message', (jobs) => {
     if (jobs.some((job) => job.file.mountPath === 'fatal')) process.exit(3);
     parentPort.postMessage(jobs.map((job) => job.file.mountPath === 'bad'
       ? { failure: { code: 'ENOSPC', message: 'full', isUndecodable: false } }
       : { report: jobs.length }));
   });`,
);

async function results(names: readonly string[], sizeBytes: number): Promise<unknown[]> {
  const pool = new LandingPool(2, pathToFileURL(script));
  const run = (mountPath: string): Promise<unknown> => {
    const file: SealedFile = { inode: 1, mountPath, sizeBytes, mtimeMs: 0, pieces: [] };
    return pool.run({ kind: 'plain', file, stagedPath: '' }, never).catch((error) => error.tag);
  };
  try {
    return await Promise.all(names.map(run));
  } finally {
    await pool.close();
  }
}

const small = 1000;
const large = 50_000_000;

describe('the landing workers', () => {
  it('take many small files at a time, and large ones one by one', async () => {
    const many = await results(new Array(200).fill('file'), small);
    expect(Math.max(...(many as number[]))).toBe(16);
    expect(await results(new Array(9).fill('file'), large)).toEqual(new Array(9).fill(1));
  });

  it('fail the file that is at fault, not those it shares a message with', async () => {
    const got = await results(['file', 'file', 'bad', 'file', 'file', 'file', 'file', 'file'], small);
    expect(got.map((one) => typeof one === 'number' || one)).toEqual([
      true,
      true,
      'no-space',
      true,
      true,
      true,
      true,
      true,
    ]);
  });

  it('do all the rest when one file ends the worker that has it', async () => {
    const names = Array.from({ length: 40 }, (_, index) => (index === 11 ? 'fatal' : 'file'));
    const got = await results(names, small);
    expect(got.map((one) => typeof one === 'number' || one)).toEqual(
      names.map((name) => name === 'file' || 'io'),
    );
  });
});
