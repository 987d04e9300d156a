import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makePlate } from '../../scripts/plate-maker/plate-maker.ts';
import { memoryFolder } from '../../src/daemon/memory-folder.ts';
import type { Durability, HookRule } from '../../src/model/mount-definition.ts';
import { TestMount } from './harness.ts';
import { sayMemory } from './machine-memory.ts';

const DAEMON = resolve(import.meta.dirname, '../../src/daemon/main.ts');
const CLIENT = resolve(import.meta.dirname, 'fixture/manifest-client.ts');

/** Finds nuclei in whatever is written to inbox/. */
export const NUCLEI_RULE: HookRule = {
  name: 'nuclei',
  on: 'inbox/*.tif',
  steps: [
    { hook: 'gaussian', params: { sigma: 2 }, name: 'gaussian' },
    { hook: 'otsu', params: {}, name: 'otsu' },
    { hook: 'binary-opening', params: { radius: 1 }, name: 'binary-opening' },
    { hook: 'label', params: { connectivity: 4 }, name: 'label' },
    { hook: 'measure', params: {}, name: 'measure' },
  ],
  outputs: { label: 'results/{stem}_labels.tif', measure: 'results/{stem}_objects.csv' },
};

export interface PlateMountOptions {
  readonly budgetBytes?: number;
  readonly hooks?: readonly HookRule[];
  readonly env?: Readonly<Record<string, string>>;
  readonly durability?: Durability;
  /** Another plate than its own, and an output folder that others use too. */
  readonly plate?: string;
  readonly output?: string;
}

/** What a client printed, and how it ended. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A client at work. */
export interface Client {
  readonly list: string;
  /** Settles when it ends unasked: over an error. */
  readonly end: Promise<Finished>;
  /** Asks it to end after the call it is in. */
  stop(): Promise<Finished>;
}

/** A small plate with folders of its own for everything, mounted as often as a test wants. */
export class PlateGround {
  readonly folder: string;
  readonly plate: string;
  readonly mountpoint: string;
  readonly output: string;
  readonly state: string;
  /** SHA-256 of the planes by their names in images/. */
  readonly planes: Readonly<Record<string, string>>;
  readonly #clients: ChildProcess[] = [];
  #mount: TestMount | undefined;

  private constructor(folder: string, plate: string, planes: Record<string, string>) {
    this.folder = folder;
    this.plate = plate;
    this.planes = planes;
    this.mountpoint = join(folder, 'mnt');
    this.output = join(folder, 'out');
    this.state = join(folder, 'state');
    mkdirSync(this.mountpoint);
  }

  static async make(): Promise<PlateGround> {
    const folder = mkdtempSync(join(tmpdir(), 'pf-'));
    const truth = await makePlate(join(folder, 'plate'), {
      wells: ['A01', 'B02'],
      sites: 2,
      zSteps: 3,
      timePoints: 1,
      width: 64,
      height: 64,
    });
    const planes = Object.fromEntries(
      truth.planes.map(({ name, source }) => [name, sha256(readFileSync(join(truth.root, source)))]),
    );
    return new PlateGround(folder, truth.root, planes);
  }

  async mount(options: PlateMountOptions = {}): Promise<TestMount> {
    const machine = join(this.folder, 'machine');
    sayMemory(machine, 8192);
    this.#mount = await TestMount.start({
      mountpoint: this.mountpoint,
      daemonEntry: DAEMON,
      deathsMax: 1000,
      // What others do on this machine must not make memory tight for a mount that counts on it.
      env: { PLATEFS_MEMORY_ROOT: machine, ...options.env },
      daemonSpec: {
        definition: {
          source: options.plate ?? this.plate,
          mountpoint: this.mountpoint,
          output: options.output ?? this.output,
          state: this.state,
          budgetBytes: options.budgetBytes ?? 64 * 2 ** 20,
          hooks: options.hooks ?? [],
          options: {
            allowOther: false,
            noPassthrough: false,
            readOnly: false,
            ...(options.durability === undefined ? {} : { durability: options.durability }),
          },
        },
        socketPath: join(this.folder, 'socket'),
        registryFolder: join(this.folder, 'registry'),
        cacheFolder: join(this.folder, 'cache'),
        startedAt: new Date().toISOString(),
      },
    });
    return this.#mount;
  }

  #client(
    mode: string,
    folder: string,
    list: string,
    seed: number,
  ): { child: ChildProcess; end: Promise<Finished> } {
    const child = spawn(process.execPath, [CLIENT, mode, folder, list, String(seed)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#clients.push(child);
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    return {
      child,
      end: new Promise((done) => child.on('close', (code) => done({ code, stdout, stderr }))),
    };
  }

  #atWork(mode: string, folder: string, list: string, seed = 0): Client {
    const { end } = this.#client(mode, folder, list, seed);
    return {
      list,
      end,
      stop: async () => {
        writeFileSync(`${list}.stop`, '');
        return await end;
      },
    };
  }

  /**
   * Begins to write into a new folder of the mount, and to list outside what was acknowledged.
   * @param mode - `write-cut`: the mount may go away; `write-tolerant`: fsync and close may fail.
   */
  write(name: string, seed: number, mode: 'write' | 'write-cut' | 'write-tolerant' = 'write'): Client {
    return this.#atWork(mode, join(this.mountpoint, name), join(this.folder, `${name}.list`), seed);
  }

  /** Begins to read and list the planes. */
  watch(): Client {
    const list = join(this.folder, 'planes.list');
    writeFileSync(list, JSON.stringify(this.planes));
    return this.#atWork('watch', join(this.mountpoint, 'images'), list);
  }

  /** Compares a folder of the mount with what was acknowledged. */
  async check(name: string): Promise<Finished> {
    return await this.#client('check', join(this.mountpoint, name), join(this.folder, `${name}.list`), 0).end;
  }

  /** Unmounts, and removes everything this made. */
  async remove(): Promise<void> {
    try {
      for (const child of this.#clients) if (child.exitCode === null) child.kill('SIGKILL');
      await this.#mount?.stop();
    } finally {
      rmSync(memoryFolder(this.state), { recursive: true, force: true });
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Files below a folder, or none where it is missing. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
