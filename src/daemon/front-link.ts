import type { MessagePort, Worker } from 'node:worker_threads';
import { NotRunningError } from '../core/errors.ts';
import type { FrontWake } from '../fuse/front-wake.ts';
import type { FromFront, FrontAnswer, ToFront } from './front-messages.ts';

type AnswerOf<T extends ToFront['type']> = T extends 'list-sealed'
  ? 'sealed-files'
  : T extends 'list-moved'
    ? 'moved-files'
    : T extends 'publish'
      ? 'published'
      : T extends 'adopt'
        ? 'adopted'
        : T extends 'set-budget'
          ? 'budget-set'
          : T extends 'spill'
            ? 'spilled'
            : T extends
                  | 'written'
                  | 'discard'
                  | 'restore'
                  | 'sealed-file'
                  | 'growing-file'
                  | 'landed'
                  | 'relanded'
                  | 'usage'
              ? T
              : never;

type Question = Extract<ToFront, { readonly token: number }>;

/** The main thread's line to the front: every message is followed by a kick, since the front sleeps in a read. */
export class FrontLink {
  readonly #port: MessagePort;
  readonly #wake: FrontWake;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: FrontAnswer) => void; reject: (error: Error) => void }
  >();
  #nextToken = 1;
  #kicking = true;

  constructor(worker: Worker, port: MessagePort, wake: FrontWake, onMessage: (message: FromFront) => void) {
    this.#port = port;
    this.#wake = wake;
    worker.on('message', (message: FromFront) => {
      if ('token' in message) {
        this.#waiting.get(message.token)?.resolve(message);
        this.#waiting.delete(message.token);
        return;
      }
      if (message.type === 'unmounted') this.#kicking = false;
      onMessage(message);
    });
    worker.on('exit', () => {
      for (const { reject } of this.#waiting.values())
        reject(new NotRunningError('the front thread has ended'));
      this.#waiting.clear();
    });
  }

  tell(message: ToFront): void {
    this.#port.postMessage(message);
    if (this.#kicking) this.#wake.kick();
  }

  /** Another thread has left it a message and kicked it: where it has slept on, it is kicked again. */
  nudge(): void {
    if (this.#kicking && !this.#wake.isHeard()) this.#wake.kick();
  }

  /** @throws NotRunningError when the front ends first. */
  ask<T extends Question['type']>(
    type: T,
    fields: Omit<Extract<Question, { readonly type: T }>, 'type' | 'token'>,
  ): Promise<Extract<FrontAnswer, { readonly type: AnswerOf<T> }>> {
    const token = this.#nextToken++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(token, {
        resolve: (answer) => resolve(answer as Extract<FrontAnswer, { readonly type: AnswerOf<T> }>),
        reject,
      });
      this.tell({ ...fields, type, token } as unknown as ToFront);
    });
  }
}
