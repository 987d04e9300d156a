/** Thread of the CPU device: one chain at a time, buffers moved in and out. */
import { parentPort } from 'node:worker_threads';
import { DeviceFailedError, PlateFsError } from '../../core/errors.ts';
import { release } from '../../core/nd-array.ts';
import { runChain } from './cpu-chain.ts';
import { ownedBuffers } from './owned-buffers.ts';
import type { ChainReply, ChainRequest } from './worker-messages.ts';

function reply(request: ChainRequest): ChainReply {
  const { input, intensity } = request.job;
  try {
    return { kind: 'done', steps: runChain(request.job) };
  } catch (error) {
    const { message, cause } = error as Error;
    const advice = error instanceof PlateFsError ? error.advice : undefined;
    return {
      kind: 'failed',
      // an allocation that fails is a RangeError; a smaller load may leave room for it
      fault: error instanceof DeviceFailedError || cause instanceof RangeError ? 'device' : 'hook',
      message,
      cause,
      ...(advice === undefined ? {} : { advice }),
    };
  } finally {
    release(input);
    if (intensity !== undefined) release(intensity);
  }
}

const port = parentPort;
if (port === null) throw new Error('cpu-worker.ts runs in a worker thread only');
port.on('message', (request: ChainRequest) => {
  const answer = reply(request);
  const buffers =
    answer.kind === 'done'
      ? ownedBuffers(
          answer.steps.flatMap(({ array, table }) => [
            ...(array === undefined ? [] : [array.data]),
            ...(table?.columns.map(({ values }) => values) ?? []),
          ]),
        )
      : [];
  port.postMessage(answer, buffers);
});
