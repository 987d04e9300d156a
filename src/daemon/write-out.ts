import { setTimeout as delay } from 'node:timers/promises';
import type { LandingProgress, LandingResult } from '../control/documents.ts';
import { BadMountpointError } from '../core/errors.ts';
import { passFaultPoint } from '../core/fault-points.ts';
import type { HookPump } from './hook-pump.ts';
import type { Landings } from './landings.ts';

/** For how long the front may take to say that the mount is gone. */
const UNMOUNTED_TIMEOUT_MS = 5_000;

export interface WriteOutParts {
  readonly mountpoint: string;
  readonly landings: Landings;
  /** Absent where the mount has no rules. */
  readonly hooks: () => HookPump | undefined;
  /** Asks for the unmount; resolves with what came of it. */
  readonly unmount: (lazy: boolean) => Promise<'unmounted' | 'busy' | 'not-mounted'>;
  /** Resolves when the kernel has let go of the mount. */
  readonly unmounted: Promise<void>;
}

/** Brings everything written to the output folder, with an unmount after it or without. */
export class WriteOut {
  readonly #parts: WriteOutParts;
  #draining: Promise<unknown> = Promise.resolve();

  constructor(parts: WriteOutParts) {
    this.#parts = parts;
  }

  /** Resolves when no drain is under way whose answer somebody waits for. */
  get settled(): Promise<unknown> {
    return this.#draining;
  }

  /** Waits for hooks, then lands everything sealed. */
  async flush(progress: (value: LandingProgress) => void, signal: AbortSignal): Promise<LandingResult> {
    await this.#parts.hooks()?.idle();
    return this.#parts.landings.landAll(progress, signal);
  }

  /**
   * Writes everything out, then unmounts. @throws BadMountpointError when programs have files open there.
   */
  drain(
    lazy: boolean,
    progress: (value: LandingProgress) => void,
    signal: AbortSignal,
  ): Promise<LandingResult> {
    const drained = this.#writeOutAndUnmount(lazy, progress, signal);
    this.#draining = drained.catch(() => undefined);
    return drained;
  }

  async #writeOutAndUnmount(
    lazy: boolean,
    progress: (value: LandingProgress) => void,
    signal: AbortSignal,
  ): Promise<LandingResult> {
    const { mountpoint, unmount, unmounted } = this.#parts;
    passFaultPoint('daemon.draining');
    const first = await this.flush(progress, signal);
    passFaultPoint('daemon.draining');
    const result = await unmount(lazy);
    if (result === 'busy') {
      throw new BadMountpointError(mountpoint, 'is in use', {
        advice: `close the programs that use it (fuser -vm ${mountpoint}), or use --lazy`,
      });
    }
    if (!lazy) await Promise.race([unmounted, delay(UNMOUNTED_TIMEOUT_MS)]);
    // What was closed by the unmount itself.
    const rest = await this.flush(progress, signal);
    return { files: first.files + rest.files, sizeBytes: first.sizeBytes + rest.sizeBytes, kept: rest.kept };
  }
}
