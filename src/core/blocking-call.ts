import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
  workerData,
} from 'node:worker_threads';

/** What a worker gets to serve a thread that waits. */
interface Line {
  readonly port: MessagePort;
  /** Counts answers; the waiting thread sleeps on it. */
  readonly answered: Int32Array;
}

interface Numbered<T> {
  readonly number: number;
  readonly content: T;
}

/**
 * Calls a worker that may wait on promises from a thread that must not: the thread sleeps until the answer is there.
 * One call at a time. The worker starts with the first call, keeps no process alive, and after a call that took too
 * long it is thrown away with whatever it was doing.
 */
export class BlockingWorker<Request, Answer> implements Disposable {
  readonly #script: URL;
  #worker: Worker | undefined;
  #port: MessagePort | undefined;
  readonly #answered = new Int32Array(new SharedArrayBuffer(4));
  #number = 0;

  constructor(script: URL) {
    this.#script = script;
  }

  /** @returns undefined when there was no answer within `timeoutMs`. */
  call(request: Request, timeoutMs: number): Answer | undefined {
    const port = this.#start();
    const number = (this.#number += 1);
    const deadlineMs = performance.now() + timeoutMs;
    port.postMessage({ number, content: request } satisfies Numbered<Request>);
    for (;;) {
      const seen = Atomics.load(this.#answered, 0);
      const received = receiveMessageOnPort(port) as { readonly message: Numbered<Answer> } | undefined;
      if (received?.message.number === number) return received.message.content;
      if (received) continue;
      const remainingMs = deadlineMs - performance.now();
      if (remainingMs <= 0 || Atomics.wait(this.#answered, 0, seen, remainingMs) === 'timed-out') {
        this[Symbol.dispose]();
        return undefined;
      }
    }
  }

  #start(): MessagePort {
    if (this.#port) return this.#port;
    const { port1, port2 } = new MessageChannel();
    const line: Line = { port: port2, answered: this.#answered };
    this.#worker = new Worker(this.#script, { workerData: line, transferList: [port2] });
    this.#worker.unref();
    this.#port = port1;
    return port1;
  }

  [Symbol.dispose](): void {
    this.#port?.close();
    this.#port = undefined;
    void this.#worker?.terminate();
    this.#worker = undefined;
  }
}

/** In the worker: answers calls with `answer`, which must not reject. `moved` names memory that goes along uncopied. */
export function serveBlockingCalls<Request, Answer>(
  answer: (request: Request) => Promise<Answer>,
  moved: (answer: Answer) => ArrayBuffer[],
): void {
  const { port, answered } = workerData as Line;
  port.on('message', ({ number, content }: Numbered<Request>) => {
    void answer(content).then((reply) => {
      port.postMessage({ number, content: reply } satisfies Numbered<Answer>, moved(reply));
      Atomics.add(answered, 0, 1);
      Atomics.notify(answered, 0);
    });
  });
}
