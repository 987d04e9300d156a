import type { TableEncoder } from '../encoders.ts';
import { delimitedText } from './shared/delimited-text.ts';

/** Comma-separated values (RFC 4180), lines ended by a line feed. */
const csv: TableEncoder = delimitedText('csv', '.csv', ',');

export default csv;
