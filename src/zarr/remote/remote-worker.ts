import { serveBlockingCalls } from '../../core/blocking-call.ts';
import { askServer, type RemoteAnswer, type RemoteRequest } from './request.ts';

/** Waits for servers in place of a thread that has to be synchronous. */
serveBlockingCalls<RemoteRequest, RemoteAnswer>(askServer, (answer) =>
  answer.kind === 'found' ? [answer.bytes.buffer] : [],
);
