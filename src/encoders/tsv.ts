import type { TableEncoder } from '../encoders.ts';
import { delimitedText } from './shared/delimited-text.ts';

/** Tab-separated values, quoted as CSV is (`excel-tab` of Python's csv, `sep="\t"` of pandas and R). */
const tsv: TableEncoder = delimitedText('tsv', '.tsv', '\t');

export default tsv;
