import { BadMetadataError } from '../../core/errors.ts';
import { known, plainText, positiveNumber, wholeNumber } from '../../core/metadata-values.ts';
import type { ChannelFacts } from '../../model/plate.ts';
import type { XmlElement } from '../../xml/xml-scanner.ts';
import { scanXmlFile } from './xml-file.ts';

const MAX_CHANNELS = 4096;

/** How a channel's images are sampled. */
export interface ChannelPixels {
  readonly x: number;
  readonly y: number;
}

/** What a `MeasurementDetail.mrf` tells of the measurement. What it lacks is absent. */
export interface MeasurementDetail {
  readonly title?: string;
  readonly system?: string;
  readonly plateRows?: number;
  readonly plateColumns?: number;
  readonly settingFile?: string;
  /** Channel → pixel size in µm. */
  readonly pixelsUm: ReadonlyMap<number, ChannelPixels>;
  readonly declared: Readonly<Record<string, string | number>>;
}

/** What a `.mes` protocol or a `.wpi` plate tells. */
export interface PlateSetting {
  readonly name?: string;
  readonly plateRows?: number;
  readonly plateColumns?: number;
  readonly channels: readonly ChannelFacts[];
}

const text = (element: XmlElement, name: string): string | undefined => plainText(element.attribute(name));

function count(element: XmlElement, name: string): number | undefined {
  const value = wholeNumber(text(element, name));
  return value !== undefined && value > 0 ? value : undefined;
}

/**
 * Reads a `MeasurementDetail.mrf`: RowCount, ColumnCount, Title, TargetSystem, MeasurementSettingFileName, and per
 * MeasurementChannel HorizontalPixelDimension and VerticalPixelDimension in µm. As found in files of CV8000 and CQ3K.
 * @throws BadMetadataError, UnreadableSourceError, CancelledError
 */
export async function readMeasurementDetail(path: string, signal: AbortSignal): Promise<MeasurementDetail> {
  const pixelsUm = new Map<number, ChannelPixels>();
  let facts: Omit<MeasurementDetail, 'pixelsUm'> = { declared: {} };
  const root = (element: XmlElement): void => {
    facts = {
      ...known({
        title: text(element, 'Title'),
        system: text(element, 'TargetSystem'),
        plateRows: count(element, 'RowCount'),
        plateColumns: count(element, 'ColumnCount'),
        settingFile: text(element, 'MeasurementSettingFileName'),
      }),
      declared: known({
        TargetSystem: text(element, 'TargetSystem'),
        BeginTime: text(element, 'BeginTime'),
        TimePointCount: count(element, 'TimePointCount'),
        FieldCount: count(element, 'FieldCount'),
        ZCount: count(element, 'ZCount'),
      }),
    };
  };
  await scanXmlFile(
    path,
    {
      start(element) {
        if (element.depth === 1) {
          if (element.name !== 'MeasurementDetail')
            throw new BadMetadataError(path, 'holds no MeasurementDetail');
          root(element);
          return 'children';
        }
        const channel = count(element, 'Ch');
        const x = positiveNumber(text(element, 'HorizontalPixelDimension'));
        const y = positiveNumber(text(element, 'VerticalPixelDimension'));
        const own =
          element.name === 'MeasurementChannel' && channel !== undefined && pixelsUm.size < MAX_CHANNELS;
        if (own && x !== undefined && y !== undefined && !pixelsUm.has(channel))
          pixelsUm.set(channel, { x, y });
        return 'skip';
      },
      end: () => undefined,
    },
    signal,
  );
  return { ...facts, pixelsUm };
}

/** Centre of a band-pass as its name writes it: `BP445/45` → 445. */
function bandCentreNm(filter: string | undefined): number | undefined {
  return positiveNumber(/^BP(\d{3,4})\/\d+/.exec(filter ?? '')?.[1]);
}

interface Channel {
  readonly number: number;
  readonly name: string | undefined;
  readonly emissionNm: number | undefined;
  readonly sources: string[];
}

/**
 * Reads a `.mes` protocol (MeasurementSetting: ChannelList/Channel with Target, the label that users give, or
 * Fluorophore, Acquisition, the emission filter, and LightSourceName) or a `.wpi` (WellPlate: Name, Rows, Columns).
 * As found in files of CV8000 and CQ3K.
 * @throws BadMetadataError, UnreadableSourceError, CancelledError
 */
export async function readPlateSetting(path: string, signal: AbortSignal): Promise<PlateSetting> {
  const channels = new Map<number, Channel>();
  const sourcesNm = new Map<string, number>();
  let plate: Omit<PlateSetting, 'channels'> = {};
  let current: Channel | undefined;
  await scanXmlFile(
    path,
    {
      start(element) {
        const { name, depth } = element;
        if (depth === 1) {
          if (name !== 'MeasurementSetting' && name !== 'WellPlate')
            throw new BadMetadataError(path, 'holds neither MeasurementSetting nor WellPlate');
          plate = known({
            name: text(element, 'Name'),
            plateRows: count(element, 'Rows'),
            plateColumns: count(element, 'Columns'),
          });
          return 'children';
        }
        if (name === 'ChannelList' || name === 'LightSourceList') return 'children';
        const source = name === 'LightSource' ? text(element, 'Name') : undefined;
        const wavelengthNm = positiveNumber(text(element, 'WaveLength'));
        if (source !== undefined && wavelengthNm !== undefined && sourcesNm.size < MAX_CHANNELS)
          sourcesNm.set(source, wavelengthNm);
        if (name === 'LightSourceName' && depth === 4) return 'text';
        const number = name === 'Channel' && depth === 3 ? count(element, 'Ch') : undefined;
        if (number === undefined || channels.has(number) || channels.size >= MAX_CHANNELS) return 'skip';
        current = {
          number,
          name: text(element, 'Target') ?? text(element, 'Fluorophore'),
          emissionNm: bandCentreNm(text(element, 'Acquisition')),
          sources: [],
        };
        channels.set(number, current);
        return 'children';
      },
      end(name, value) {
        if (name === 'LightSourceName' && current && current.sources.length < 16)
          current.sources.push(value.trim());
      },
    },
    signal,
  );
  return {
    ...plate,
    channels: [...channels.values()]
      .sort((a, b) => a.number - b.number)
      .map(({ number, name, emissionNm, sources }) => {
        // With several lasers at a time there is no one wavelength.
        const excitationNm = sources.length === 1 ? sourcesNm.get(sources[0] ?? '') : undefined;
        return { number, ...known({ name, emissionNm, excitationNm }) };
      }),
  };
}
