import type { RequestNumber } from '../overlay/handle-log.ts';
import type { RequestContext } from './file-system.ts';
import type { Ticket } from './jobs.ts';

/** All of the upper half but the bit that the kernel sets when it sends a request again. */
const NUMBER_BITS = 0x7fff_ffff;

/** The request's number without the mark that it was sent again, as the handle log keeps it. */
export const numberOf = (context: Ticket): RequestNumber => ({
  low: context.uniqueLow,
  high: context.uniqueHigh & NUMBER_BITS,
});

/** The request's number without the mark that it was sent again, as the journal keeps it. */
export const uniqueOf = (context: RequestContext): string =>
  `${context.uniqueHigh & NUMBER_BITS}:${context.uniqueLow}`;
