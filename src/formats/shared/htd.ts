import { BadMetadataError } from '../../core/errors.ts';

/**
 * Facts of a MetaXpress HTD file: text lines `"Key", value` from `"HTSInfoFile", Version 1.0` to `"EndFile"`;
 * older instruments write `Key=value` and SiteColumns / SiteRows for the grid. What the file lacks is absent.
 */
export interface HtdFacts {
  /** Fields per well across and down. */
  readonly grid?: { readonly rows: number; readonly columns: number };
  readonly plateRows?: number;
  readonly plateColumns?: number;
  /** Time points that were planned; the plate may have fewer. */
  readonly timePoints?: number;
  readonly zSteps?: number;
  readonly zProjection?: boolean;
  /** Wave number → name. */
  readonly waveNames: ReadonlyMap<number, string>;
  readonly description?: string;
  readonly plateIdentifier?: string;
}

/** Text of an HTD: by byte-order mark, else UTF-16 by its zero bytes, else UTF-8, else Windows-1252. */
export function decodeInstrumentText(bytes: Uint8Array): string {
  const [a = 0, b = 0] = bytes;
  if (a === 0xff && b === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (a === 0xfe && b === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  const sample = bytes.subarray(0, 256);
  let oddZeros = 0;
  let evenZeros = 0;
  sample.forEach((byte, i) => {
    if (byte === 0) i % 2 === 1 ? (oddZeros += 1) : (evenZeros += 1);
  });
  if (oddZeros > sample.length / 4) return new TextDecoder('utf-16le').decode(bytes);
  if (evenZeros > sample.length / 4) return new TextDecoder('utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Not UTF-8: MetaXpress writes the description in the machine's own code page.
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

const KEY_VALUE = /^\s*"?([A-Za-z][A-Za-z0-9]*)"?\s*[,=]\s*(.*?)\s*$/;

function keyValues(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split(/\r\n|\r|\n/)) {
    const match = KEY_VALUE.exec(line);
    const [, key = '', value = ''] = match ?? [];
    if (key !== '' && !values.has(key)) values.set(key, value.replace(/^"(.*)"$/s, '$1'));
  }
  return values;
}

/** A positive whole number, or undefined. */
function count(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,6}$/.test(text)) return undefined;
  const value = Number(text);
  return value > 0 ? value : undefined;
}

function grid(columns: number | undefined, rows: number | undefined): Pick<HtdFacts, 'grid'> {
  return columns === undefined || rows === undefined ? {} : { grid: { rows, columns } };
}

/** @throws BadMetadataError when none of the keys of an HTD is there. */
export function parseHtd(path: string, bytes: Uint8Array): HtdFacts {
  const values = keyValues(decodeInstrumentText(bytes));
  const waveNames = new Map<number, string>();
  for (const [key, value] of values) {
    const wave = count(/^WaveName(\d{1,2})$/.exec(key)?.[1]);
    if (wave !== undefined && value !== '') waveNames.set(wave, value);
  }
  const plateColumns = count(values.get('XWells'));
  const plateRows = count(values.get('YWells'));
  const timePoints = count(values.get('TimePoints'));
  const zSteps = count(values.get('ZSteps'));
  const zProjection = values.get('ZProjection');
  const description = values.get('Description');
  const plateIdentifier = values.get('UniquePlateIdentifier');
  const facts: HtdFacts = {
    ...grid(
      count(values.get('XSites')) ?? count(values.get('SiteColumns')),
      count(values.get('YSites')) ?? count(values.get('SiteRows')),
    ),
    ...(plateRows === undefined ? {} : { plateRows }),
    ...(plateColumns === undefined ? {} : { plateColumns }),
    ...(timePoints === undefined ? {} : { timePoints }),
    ...(zSteps === undefined ? {} : { zSteps }),
    ...(zProjection === undefined ? {} : { zProjection: /^true$/i.test(zProjection) }),
    ...(description === undefined || description === '' ? {} : { description }),
    ...(plateIdentifier === undefined ? {} : { plateIdentifier }),
    waveNames,
  };
  const known = [facts.grid, plateRows, plateColumns, timePoints, zSteps].some((fact) => fact !== undefined);
  if (!known && waveNames.size === 0 && !values.has('HTSInfoFile'))
    throw new BadMetadataError(path, 'is no HTD file: none of its keys (XSites, WaveName1, …) is there', {
      advice: 'export the plate again; file names are used instead',
    });
  return facts;
}

/** What two HTDs of one plate disagree about, as `XSites 2 against 3`; empty when they agree. */
export function htdDisagreements(a: HtdFacts, b: HtdFacts): string[] {
  const differences: string[] = [];
  const compare = (what: string, left: unknown, right: unknown): void => {
    if (left !== undefined && right !== undefined && left !== right)
      differences.push(`${what} ${left} against ${right}`);
  };
  compare('XSites', a.grid?.columns, b.grid?.columns);
  compare('YSites', a.grid?.rows, b.grid?.rows);
  compare('XWells', a.plateColumns, b.plateColumns);
  compare('YWells', a.plateRows, b.plateRows);
  compare('TimePoints', a.timePoints, b.timePoints);
  compare('ZSteps', a.zSteps, b.zSteps);
  compare('UniquePlateIdentifier', a.plateIdentifier, b.plateIdentifier);
  for (const [wave, name] of a.waveNames) compare(`WaveName${wave}`, name, b.waveNames.get(wave));
  return differences;
}
