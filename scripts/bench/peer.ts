import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { mountAt } from '../../src/fuse/mount-table.ts';
import { unmountFuse } from '../../src/fuse/unmount.ts';

/** The C program that benchmarks are held against: a passthrough on libfuse3, compiled on demand. */
const SOURCE = resolve(import.meta.dirname, 'peer-libfuse3.c');
const MOUNT_TIMEOUT_MS = 10_000;

/**
 * Compiles the peer once per version of its source, into the user's cache folder.
 *
 * @returns Its path, or why there is none (no gcc, no libfuse3-dev, no compilation).
 */
export function buildPeer(): { path: string } | { missing: string } {
  const config = spawnSync('pkg-config', ['--cflags', '--libs', 'fuse3'], { encoding: 'utf8' });
  if (config.error !== undefined) return { missing: 'pkg-config is missing (apt install pkg-config)' };
  if (config.status !== 0)
    return { missing: 'libfuse3 to compile against is missing (apt install libfuse3-dev)' };
  const version = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 16);
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'platefs', 'bench');
  const path = join(folder, `peer-libfuse3-${version}`);
  if (existsSync(path)) return { path };
  mkdirSync(folder, { recursive: true });
  const fresh = `${path}.${process.pid}`;
  const flags = config.stdout.trim().split(/\s+/);
  const compiled = spawnSync('gcc', ['-O2', '-Wall', '-pthread', '-o', fresh, SOURCE, ...flags], {
    encoding: 'utf8',
  });
  if (compiled.error !== undefined) return { missing: 'gcc is missing (apt install gcc)' };
  if (compiled.status !== 0) return { missing: `gcc failed: ${compiled.stderr.trim()}` };
  renameSync(fresh, path);
  return { path };
}

/**
 * Mounts `source` at `mountpoint` by the peer and waits until it is mounted.
 *
 * @param options.splice whether bytes go from files to the kernel without being copied by the peer.
 * @returns What unmounts it and waits for its end.
 */
export async function startPeer(
  program: string,
  source: string,
  mountpoint: string,
  threads: number,
  { splice = false } = {},
): Promise<() => Promise<void>> {
  const words = [source, mountpoint, String(threads), ...(splice ? ['splice'] : [])];
  const child: ChildProcess = spawn(program, words, {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise<void>((done) => child.on('exit', () => done()));
  const endMs = performance.now() + MOUNT_TIMEOUT_MS;
  while (mountAt(mountpoint) === undefined) {
    if (child.exitCode !== null || performance.now() > endMs) {
      child.kill('SIGKILL');
      throw new Error(`the peer did not mount ${mountpoint}`);
    }
    await new Promise((done) => setTimeout(done, 10));
  }
  return async () => {
    if (unmountFuse(mountpoint) === 'busy') unmountFuse(mountpoint, { lazy: true });
    await ended;
  };
}

if (import.meta.main) {
  const peer = buildPeer();
  console.log('path' in peer ? peer.path : `no peer: ${peer.missing}`);
}
