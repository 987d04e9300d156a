import csv from '../../../src/encoders/csv.ts';
import { tableEncoderConformance } from '../../conformance/table-encoders.ts';

tableEncoderConformance(csv, ',');
