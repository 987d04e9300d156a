import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { StatusDocument } from '../../src/control/documents.ts';
import { memoryFolder, removeMemoryFolder } from '../../src/daemon/memory-folder.ts';
import { mountAt } from '../../src/fuse/mount-table.ts';

const PLATEFS = resolve(import.meta.dirname, '../../bin/platefs');
const DEADLINE_MS = 120_000;
const GONE_TIMEOUT_MS = 10_000;

export interface OwnMount {
  readonly path: string;
  readonly status: StatusDocument;
  /** Wall time of `platefs mount`. */
  readonly seconds: number;
}

/** PlateFS by its command line, with folders of its own for everything it keeps. */
export class OwnMounts {
  readonly cacheHome: string;
  readonly #folder: string;
  readonly #runtime: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #mounted = new Map<string, string>();
  #count = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.cacheHome = join(folder, 'cache');
    // Sockets lie here, and their paths must be short.
    this.#runtime = mkdtempSync(join(tmpdir(), 'pfb-'));
    this.#environment = {
      ...process.env,
      XDG_STATE_HOME: join(folder, 'state'),
      XDG_CACHE_HOME: this.cacheHome,
      XDG_RUNTIME_DIR: this.#runtime,
    };
    // Set by whoever runs us, it would be one cache for all.
    delete this.#environment['NODE_COMPILE_CACHE'];
  }

  newMountpoint(): string {
    const path = join(this.#folder, `mount${this.#count++}`);
    mkdirSync(path);
    return path;
  }

  #run(args: readonly string[]): string {
    const { status, signal, stdout, stderr } = spawnSync(PLATEFS, args, {
      env: this.#environment,
      encoding: 'utf8',
      timeout: DEADLINE_MS,
      maxBuffer: 1 << 26,
    });
    if (status !== 0)
      throw new Error(`platefs ${args.join(' ')} ended with ${status ?? signal}: ${stderr || stdout}`);
    return stdout;
  }

  /** Mounts a plate and returns when it is usable. */
  mount(plate: string, args: readonly string[] = [], mountpoint = this.newMountpoint()): OwnMount {
    const startMs = performance.now();
    this.#mounted.set(mountpoint, '');
    const output = join(this.#folder, 'output');
    const text = this.#run(['mount', plate, mountpoint, '--json', '--output', output, ...args]);
    const seconds = (performance.now() - startMs) / 1000;
    const status = JSON.parse(text) as StatusDocument;
    this.#mounted.set(mountpoint, status.state);
    return { path: mountpoint, status, seconds };
  }

  umount({ path }: OwnMount): void {
    this.#run(['umount', path]);
    this.#mounted.delete(path);
  }

  /** Wall time of `platefs flush`. */
  flush({ path }: OwnMount): number {
    const startMs = performance.now();
    this.#run(['flush', path]);
    return (performance.now() - startMs) / 1000;
  }

  /** Brings a file to the cold cache. */
  warm(path: string): void {
    this.#run(['warm', path]);
  }

  /** Lets go of everything that is kept of a file. */
  drop(path: string): void {
    this.#run(['drop', path]);
  }

  status({ path }: OwnMount): StatusDocument {
    return (JSON.parse(this.#run(['status', path, '--json'])) as { status: StatusDocument }).status;
  }

  /** Takes away whatever is still there, by force where it must be. */
  [Symbol.dispose](): void {
    for (const [path, state] of this.#mounted) {
      const mounted = mountAt(path);
      spawnSync(PLATEFS, ['umount', path], { env: this.#environment, timeout: GONE_TIMEOUT_MS });
      if (mounted && mountAt(path)) {
        spawnSync('umount', ['-l', path]);
        writeFileSync(`/sys/fs/fuse/connections/${mounted.minor}/abort`, '1');
      }
      if (state !== '') removeMemoryFolder({ state, memory: memoryFolder(state) });
    }
    this.#mounted.clear();
    rmSync(this.#runtime, { recursive: true, force: true });
  }
}
