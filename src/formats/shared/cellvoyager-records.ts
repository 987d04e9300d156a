import { BadMetadataError } from '../../core/errors.ts';
import { finiteNumber, known, plainText, wholeNumber } from '../../core/metadata-values.ts';
import type { XmlElement } from '../../xml/xml-scanner.ts';
import type { ListedPlane } from './listed-planes.ts';
import { scanXmlFile } from './xml-file.ts';

/** What a measurement's records tell, one by one. */
export interface RecordSink {
  image(plane: ListedPlane, processing: string | undefined): void;
  /** A record that tells of something that went wrong instead of an image; `text` is the instrument's. */
  error(text: string): void;
}

/** Row and Column count from 1. */
const fromOne = (text: string | undefined): number | undefined => {
  const value = wholeNumber(text);
  return value === undefined ? undefined : value - 1;
};

const milliseconds = (time: string | undefined): number | undefined => {
  // Without an offset the time is the instrument's own, in a zone that isn't told.
  if (time === undefined || !/(?:Z|[+-]\d\d:?\d\d)$/.test(time)) return undefined;
  const value = Date.parse(time);
  return Number.isNaN(value) ? undefined : value;
};

function planeOf(record: XmlElement): { plane: ListedPlane; processing: string | undefined } {
  const text = (name: string): string | undefined => record.attribute(name)?.trim() || undefined;
  const processing =
    plainText(text('ZImageProcessing')) ?? ((text('ZTop') ?? text('ZBottom')) ? 'processed' : undefined);
  return {
    plane: {
      path: '',
      ...known({
        row: fromOne(text('Row')),
        column: fromOne(text('Column')),
        site: wholeNumber(text('FieldIndex')),
        channel: wholeNumber(text('Ch')),
        z: processing === undefined ? wholeNumber(text('ZIndex')) : 0,
        t: wholeNumber(text('TimePoint')),
        xUm: finiteNumber(text('X')),
        yUm: finiteNumber(text('Y')),
        zUm: finiteNumber(text('Z')),
        acquiredAtMs: milliseconds(text('Time')),
      }),
    },
    processing,
  };
}

/**
 * Reads a `MeasurementData.mlf`: one `MeasurementRecord` per image, Type IMG, its text the file's path below the
 * plate; attributes Row, Column, TimePoint, FieldIndex, ZIndex and Ch from 1, X, Y (Y up) and Z in µm, Time. A
 * record with ZImageProcessing, ZTop or ZBottom is a projection, whatever its ZIndex. Type ERR has no image and
 * may lack any attribute. As found in files of CV7000, CV8000 and CQ3K. Memory doesn't grow with the file; what
 * was told before a fault stays told.
 * @throws BadMetadataError, UnreadableSourceError, CancelledError
 */
export async function readMeasurementRecords(
  path: string,
  sink: RecordSink,
  signal: AbortSignal,
): Promise<void> {
  let current: ReturnType<typeof planeOf> | undefined;
  let type = '';
  await scanXmlFile(
    path,
    {
      start(element) {
        if (element.depth === 1) {
          if (element.name !== 'MeasurementData')
            throw new BadMetadataError(path, 'holds no MeasurementData');
          return 'children';
        }
        if (element.depth !== 2 || element.name !== 'MeasurementRecord') return 'skip';
        type = element.attribute('Type') ?? '';
        current = type === 'IMG' ? planeOf(element) : undefined;
        return 'text';
      },
      end(name, text, depth) {
        if (depth !== 2 || name !== 'MeasurementRecord') return;
        const value = text.trim();
        if (current) sink.image({ ...current.plane, path: value }, current.processing);
        else sink.error(type === 'ERR' ? value : `${type || 'a record without a type'}: ${value}`);
      },
    },
    signal,
  );
}
