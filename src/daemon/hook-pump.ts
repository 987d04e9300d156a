import { HookQueue } from '../compute/hook-queue.ts';
import type { HookJob } from '../compute/queue-ledger.ts';
import { HookRunner } from '../compute/runner.ts';
import { CancelledError, explain, HookFailedError } from '../core/errors.ts';
import { passFaultPoint } from '../core/fault-points.ts';
import { loadAll } from '../core/plugin.ts';
import { invalidateEntry, invalidateNode } from '../fuse/notify.ts';
import type { HookRule } from '../model/mount-definition.ts';
import type { SealedFile } from '../overlay/sealed-files.ts';
import { DEVICES } from '../registry.generated.ts';
import type { FrontLink } from './front-link.ts';

export interface HookPumpParts {
  readonly rules: readonly HookRule[];
  readonly stagingDir: string;
  readonly front: FrontLink;
  readonly fuseFd: number;
  readonly log: (message: string) => void;
}

interface Held {
  readonly file: SealedFile;
  readonly rules: Set<string>;
}

/** Starts rules on files as they are closed, and publishes what comes out. Does nothing where there are no rules. */
export class HookPump {
  readonly #parts: HookPumpParts;
  readonly #runner: HookRunner;
  readonly #queue: HookQueue;
  /** Files that rules have yet to see, by inode and by path. */
  readonly #held = new Map<number, Held>();
  readonly #byPath = new Map<string, number>();

  private constructor(parts: HookPumpParts, runner: HookRunner) {
    this.#parts = parts;
    this.#runner = runner;
    this.#queue = new HookQueue({ concurrency: 1, work: (job, signal) => this.#work(job, signal) });
    this.#queue.on('change', (job) => this.#onChange(job));
  }

  /** @throws BadRuleError when a rule can't be bound. */
  static async start(parts: HookPumpParts): Promise<HookPump | undefined> {
    if (parts.rules.length === 0) return undefined;
    const { rules, stagingDir } = parts;
    return new HookPump(
      parts,
      await HookRunner.create({ rules, stagingDir, devices: await loadAll(DEVICES) }),
    );
  }

  /** What failed, for status documents. */
  failures(): { rule: string; file: string; message: string }[] {
    return this.#queue
      .jobs()
      .filter((job) => job.state === 'failed')
      .map((job) => ({ rule: job.rule, file: job.mountPath, message: job.message ?? '' }));
  }

  get counts(): { running: number; waiting: number; failed: number } {
    const failed = this.#queue.jobs().filter((job) => job.state === 'failed').length;
    return { running: this.#queue.runningCount, waiting: this.#queue.waitingCount, failed };
  }

  isHeld(inode: number): boolean {
    return this.#held.has(inode);
  }

  idle(): Promise<void> {
    return this.#queue.idle();
  }

  /** A version of a file is whole: start the rules that have not seen it. */
  async onSealed(inode: number): Promise<void> {
    const { file } = await this.#parts.front.ask('sealed-file', { inode });
    if (file) this.offer(file);
  }

  offer(file: SealedFile): void {
    const rules = this.#runner.rulesFor(file.mountPath).map((bound) => bound.rule.name);
    const due = rules.filter((rule) => !file.hooksDone.includes(rule));
    const known = this.#held.get(file.inode);
    // What waits under the old name of a renamed file has nothing to work on any more.
    if (known && known.file.mountPath !== file.mountPath) this.onUnsealed(file.inode);
    if (due.length === 0) return;
    this.#held.set(file.inode, { file, rules: new Set(due) });
    this.#byPath.set(file.mountPath, file.inode);
    for (const rule of due) this.#queue.enqueue(rule, file.mountPath);
  }

  /** A file is written again, or gone. */
  onUnsealed(inode: number): void {
    const held = this.#held.get(inode);
    if (!held) return;
    this.#release(inode);
    this.#queue.cancel(held.file.mountPath);
  }

  #release(inode: number): void {
    const held = this.#held.get(inode);
    this.#held.delete(inode);
    if (held && this.#byPath.get(held.file.mountPath) === inode) this.#byPath.delete(held.file.mountPath);
  }

  #onChange(job: HookJob): void {
    if (job.state === 'failed')
      this.#parts.log(`hook ${job.rule} on ${job.mountPath} failed: ${job.message ?? ''}`);
    if (job.state !== 'done' && job.state !== 'failed') return;
    const inode = this.#byPath.get(job.mountPath);
    const held = inode === undefined ? undefined : this.#held.get(inode);
    if (inode === undefined || !held) return;
    if (job.state === 'failed') {
      this.#parts.front.tell({ type: 'hook-ended', inode, version: held.file.version, rule: job.rule });
    }
    held.rules.delete(job.rule);
    if (held.rules.size === 0) this.#release(inode);
  }

  async #work(job: HookJob, signal: AbortSignal): Promise<readonly string[]> {
    const inode = this.#byPath.get(job.mountPath);
    const held = inode === undefined ? undefined : this.#held.get(inode);
    if (inode === undefined || !held) throw new CancelledError(`${job.mountPath} was written again`);
    const { mountPath, sizeBytes, pieces, version } = held.file;
    const rule = this.#runner.rulesFor(mountPath).find((bound) => bound.rule.name === job.rule);
    if (!rule) throw new HookFailedError(`there is no rule ${job.rule}`);
    const run = await this.#runner.run(rule, { mountPath, sizeBytes, pieces }, signal);
    const { outputs, provenance } = run;
    const { steps } = provenance;
    const hook = { rule: job.rule, input: { path: mountPath, sizeBytes }, steps };
    const source = { inode, version, mountPath, rule: job.rule };
    passFaultPoint('hook.before-publish');
    const answer = await this.#parts.front.ask('publish', { source, outputs, hook });
    passFaultPoint('hook.after-publish');
    if (answer.failure !== undefined) throw new HookFailedError(`${mountPath}: ${answer.failure}`);
    if (!answer.accepted) {
      // Under another name, mostly: rules may want it there.
      if (this.#held.get(inode) === held) this.onUnsealed(inode);
      this.onSealed(inode).catch((error: unknown) => this.#parts.log(explain(error)));
      throw new CancelledError(`${mountPath} was written again`);
    }
    for (const { parent, name } of answer.changed) {
      invalidateEntry(this.#parts.fuseFd, parent, name);
      invalidateNode(this.#parts.fuseFd, parent);
    }
    return outputs.map((output) => output.mountPath);
  }

  async close(): Promise<void> {
    await this.#queue[Symbol.asyncDispose]();
  }
}
