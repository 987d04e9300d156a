import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { type PlateMount, PYTHON } from './plate-mount.ts';

const ALIGNED = 4096;
/** Reads, past the kernel's pages, through a handle that stays open; commands and answers are lines. */
const HANDLE = `
import mmap, zlib
os.chdir(mnt)
f = os.open(argv[0], os.O_RDONLY | os.O_DIRECT)
m = mmap.mmap(-1, 1 << 16)
print('open', flush=True)
for line in sys.stdin:
  try: print(zlib.crc32(m[:os.preadv(f, [m], int(line))]), flush=True)
  except OSError as e: print('errno', e.errno, flush=True)
`;
/** ESTALE, of {@link OpenedFile.read}. */
export const STALE = 'errno 116';

/** A file of the mount, held open by a program. */
export class OpenedFile implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>) {
    this.#child = child;
    this.#lines = lines;
  }

  static async open(mount: PlateMount, path: string): Promise<OpenedFile> {
    const head = 'import os, sys\nmnt, argv = sys.argv[1], sys.argv[2:]\n';
    const child = spawn(PYTHON, ['-c', head + HANDLE, mount.mountpoint, path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const opened = new OpenedFile(child, createInterface({ input: child.stdout })[Symbol.asyncIterator]());
    expect((await opened.#lines.next()).value).toBe('open');
    return opened;
  }

  /** A checksum of what is there, or the error. */
  async read(offsetBytes: number): Promise<string> {
    this.#child.stdin?.write(`${Math.floor(offsetBytes / ALIGNED) * ALIGNED}\n`);
    return (await this.#lines.next()).value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}
