import { join } from 'node:path';
import { callControl } from '../../src/control/control-client.ts';
import type { DrainParams, LandingResult, StatusDocument } from '../../src/control/documents.ts';
import { MountRegistry } from '../../src/control/mount-registry.ts';

/** A daemon that lands much may keep silent for so long. */
const ANSWER_TIMEOUT_MS = 120_000;

export type Status = StatusDocument & Record<string, unknown>;

/** Asks a running mount of this user's without a program of its own for each question. All throw NotRunningError. */
export class MountControl {
  readonly #socket: string;

  /** @param runtimeFolder - `XDG_RUNTIME_DIR` of the mount. */
  constructor(runtimeFolder: string, mountpoint: string) {
    this.#socket = new MountRegistry(join(runtimeFolder, 'platefs')).socketPath(mountpoint);
  }

  async #ask(method: string, params: unknown = {}): Promise<unknown> {
    return await callControl(this.#socket, method, params, { silenceMs: ANSWER_TIMEOUT_MS });
  }

  async status(): Promise<Status> {
    return (await this.#ask('status')) as Status;
  }

  async flush(): Promise<LandingResult> {
    return (await this.#ask('flush')) as LandingResult;
  }

  /** Writes everything out; the mount goes soon after. */
  async drain(): Promise<void> {
    const params: DrainParams = { lazy: false };
    await this.#ask('drain', params);
  }
}
