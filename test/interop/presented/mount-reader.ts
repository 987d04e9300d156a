import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { PYTHON } from '../../mount/plate-mount.ts';
import type { Kind } from './imagej.ts';

/** What `read-mount.py` prints of a folder. */
export interface Report {
  readonly files: number;
  readonly opened: Readonly<Record<string, number>>;
  readonly sums: Readonly<Record<string, readonly string[]>>;
  /** Files that were not read whole. */
  readonly left: readonly string[];
  readonly kinds: Readonly<Record<string, Kind>>;
  readonly problems: readonly string[];
}

const DEADLINE_MS = 200_000;

/** A Python that has its readers imported, and reads one folder of the mount after the other. */
export class MountReader implements Disposable {
  readonly #folder: string;
  #running: { readonly python: ChildProcess; readonly lines: Interface } | undefined;

  /** `folder` takes its temporary files. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  #start(): { readonly python: ChildProcess; readonly lines: Interface } {
    const python = spawn(PYTHON, [join(import.meta.dirname, 'read-mount.py')], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: this.#folder },
      // A group of its own, so that all it started can be ended.
      detached: true,
    });
    return { python, lines: createInterface(python.stdout) };
  }

  /** Opens every file. @throws when it takes too long. */
  async read(folder: string, source: string): Promise<Report> {
    this.#running ??= this.#start();
    const { python, lines } = this.#running;
    python.stdin?.write(`${folder}\t${source}\n`);
    try {
      const [line] = await once(lines, 'line', { signal: AbortSignal.timeout(DEADLINE_MS) });
      return JSON.parse(String(line)) as Report;
    } catch (error) {
      // What comes late is of this folder: the next has a Python of its own.
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    const python = this.#running?.python;
    this.#running = undefined;
    if (python?.pid !== undefined && python.exitCode === null) process.kill(-python.pid, 'SIGKILL');
  }
}
