import tsv from '../../../src/encoders/tsv.ts';
import { tableEncoderConformance } from '../../conformance/table-encoders.ts';

tableEncoderConformance(tsv, '\t');
