import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

it('the checked-in WebAssembly is what its AssemblyScript compiles to', () => {
  const script = resolve(import.meta.dirname, '../../../scripts/gen-kernels.ts');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
