import { BadMetadataError } from '../../core/errors.ts';
import type { JsonReader } from './json-reader.ts';

/** What `openhcs_metadata.json` says of one subdirectory, without its images. */
export interface OpenHcsSubdirectory {
  /** As written: `.` for the plate itself, else a folder in it; '' in the layout before there were subdirectories. */
  readonly key: string;
  /** Place among the subdirectories of the file, as the images are found again. */
  readonly place: number;
  /** `main: true` */
  readonly isMain: boolean;
  /** The names that `available_backends` gives as true, in its order. */
  readonly backends: readonly string[];
  readonly handler?: string;
  readonly parser?: string;
  /** Rows and columns; absent for `[1, 1]`, which OpenHCS also writes when it does not know. */
  readonly grid?: { readonly rows: number; readonly columns: number };
  /** Absent for 1.0, which OpenHCS also writes when it does not know. */
  readonly pixelSizeUm?: number;
  readonly channels: ReadonlyMap<number, string>;
  readonly plateName?: string;
  /** `results_dir` */
  readonly resultsFolder?: string;
  /** Number of `image_files`. */
  readonly listed: number;
  /** Entries of `workspace_mapping`. */
  readonly mapped: number;
  /** Of the mapping's first entry: 1 for a path, 2 for an object that names backend and address. */
  readonly mappingVersion?: 1 | 2;
  /** The first names of the mapping, else of `image_files`. */
  readonly examples: readonly string[];
}

export interface OpenHcsSurvey {
  /** Whether the file is of the layout before there were subdirectories: one flat object, paths absolute. */
  readonly isFlat: boolean;
  readonly subdirectories: readonly OpenHcsSubdirectory[];
  /** A top-level `available_backends`, which an older update call of OpenHCS leaves there. */
  readonly backends: readonly string[];
}

/** A subdirectory that is being read. */
type Draft = { -readonly [K in keyof OpenHcsSubdirectory]: OpenHcsSubdirectory[K] };

const MAX_SUBDIRECTORIES = 1024;
const MAX_CHANNELS = 65_535;
const MAX_BACKENDS = 64;
const EXAMPLES = 16;

/** Reads all of the file but the images. @throws BadMetadataError naming `path`. */
export function surveyOpenHcs(reader: JsonReader, path: string): OpenHcsSurvey {
  const byKey = new Map<string, Draft>();
  const flat = emptySubdirectory('', 0);
  let hasSubdirectories = false;
  let place = 0;
  let backends: readonly string[] = [];
  let flatKeys = 0;
  if (reader.kind() !== 'object') throw new BadMetadataError(path, 'holds no JSON object', ADVICE);
  for (const key of reader.keys()) {
    if (key === 'subdirectories' && reader.kind() === 'object') {
      hasSubdirectories = true;
      for (const name of reader.keys()) {
        if (place >= MAX_SUBDIRECTORIES)
          throw new BadMetadataError(path, `names more than ${MAX_SUBDIRECTORIES} subdirectories`, ADVICE);
        const subdirectory = emptySubdirectory(name, place);
        place += 1;
        if (reader.kind() === 'object')
          for (const field of reader.keys()) readField(reader, field, subdirectory);
        // Of a name that is given twice the last counts, as for every JSON reader.
        byKey.delete(name);
        byKey.set(name, subdirectory);
      }
    } else if (key === 'available_backends') {
      backends = readBackends(reader);
      flat.backends = backends;
    } else if (readField(reader, key, flat)) flatKeys += 1;
  }
  reader.finish();
  if (!hasSubdirectories && flatKeys === 0)
    throw new BadMetadataError(path, "has neither 'subdirectories' nor 'image_files'", ADVICE);
  return {
    isFlat: !hasSubdirectories,
    subdirectories: hasSubdirectories ? [...byKey.values()] : [flat],
    backends,
  };
}

const ADVICE = { advice: 'restore the file from a backup, or move it away' };

function emptySubdirectory(key: string, place: number): Draft {
  return {
    key,
    place,
    isMain: false,
    backends: [],
    channels: new Map(),
    listed: 0,
    mapped: 0,
    examples: [],
  };
}

/** Reads one field; false for one that says nothing to us, which is left alone. */
function readField(reader: JsonReader, field: string, into: Draft): boolean {
  const assign = <K extends keyof Draft>(key: K, value: Draft[K] | undefined): void => {
    if (value !== undefined) into[key] = value;
  };
  switch (field) {
    case 'microscope_handler_name':
      assign('handler', reader.text());
      return true;
    case 'source_filename_parser_name':
      assign('parser', reader.text());
      return true;
    case 'plate_name':
      assign('plateName', reader.text());
      return true;
    case 'results_dir':
      assign('resultsFolder', reader.text());
      return true;
    case 'grid_dimensions':
      assign('grid', readGrid(reader));
      return true;
    case 'pixel_size':
      assign('pixelSizeUm', measured(reader.number()));
      return true;
    case 'main':
      into.isMain = reader.isTrue();
      return true;
    case 'channels':
      into.channels = readChannels(reader);
      return true;
    case 'available_backends':
      into.backends = readBackends(reader);
      return true;
    case 'image_files':
      readList(reader, into);
      return true;
    case 'workspace_mapping':
      readMapping(reader, into);
      return true;
    default:
      return false;
  }
}

const measured = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) && value > 0 && value !== 1 ? value : undefined;

function readGrid(reader: JsonReader): Draft['grid'] {
  if (reader.kind() !== 'array') return undefined;
  const extents: (number | undefined)[] = [];
  for (const place of reader.items()) if (place < 3) extents.push(reader.number());
  const [rows, columns] = extents;
  const isCount = (value: number | undefined): value is number =>
    value !== undefined && Number.isSafeInteger(value) && value > 0;
  if (extents.length !== 2 || !isCount(rows) || !isCount(columns)) return undefined;
  return rows === 1 && columns === 1 ? undefined : { rows, columns };
}

/** `{"1": "DAPI", "2": null}` → 1 → DAPI. */
function readChannels(reader: JsonReader): ReadonlyMap<number, string> {
  const channels = new Map<number, string>();
  if (reader.kind() !== 'object') return channels;
  for (const key of reader.keys()) {
    if (!/^\d{1,5}$/.test(key) || channels.size >= MAX_CHANNELS) continue;
    const name = reader.kind() === 'text' ? reader.text() : undefined;
    if (name !== undefined && name !== '') channels.set(Number(key), name);
  }
  return channels;
}

function readBackends(reader: JsonReader): readonly string[] {
  const backends: string[] = [];
  if (reader.kind() !== 'object') return backends;
  for (const name of reader.keys())
    if (backends.length < MAX_BACKENDS && reader.isTrue()) backends.push(name);
  return backends;
}

function readList(reader: JsonReader, into: Draft): void {
  if (reader.kind() !== 'array') return;
  const examples: string[] = [];
  into.listed = 0;
  for (const _ of reader.items()) {
    into.listed += 1;
    const text = examples.length < EXAMPLES ? reader.text() : undefined;
    if (text !== undefined) examples.push(text);
  }
  if (into.mapped === 0) into.examples = examples;
}

function readMapping(reader: JsonReader, into: Draft): void {
  if (reader.kind() !== 'object') return;
  const examples: string[] = [];
  into.mapped = 0;
  for (const virtual of reader.keys()) {
    if (into.mapped === 0) into.mappingVersion = reader.kind() === 'object' ? 2 : 1;
    into.mapped += 1;
    if (examples.length < EXAMPLES) examples.push(virtual);
  }
  if (into.mapped > 0) into.examples = examples;
}

/**
 * The subdirectory whose images are the plate: the first with `main: true`, else the only one, else `images`, else
 * the first (OpenHCS's own rule).
 */
export function mainSubdirectory(survey: OpenHcsSurvey): OpenHcsSubdirectory | undefined {
  const { subdirectories } = survey;
  return (
    subdirectories.find(({ isMain }) => isMain) ??
    (subdirectories.length === 1
      ? subdirectories[0]
      : (subdirectories.find(({ key }) => key === 'images') ?? subdirectories[0]))
  );
}

/** Where the planes of a subdirectory come from. */
export type OpenHcsStore = 'zarr' | 'mapping' | 'list';

/** Every place that has a subdirectory's images, the one that OpenHCS prefers first: Zarr, the mapping, the list. */
export function storesOf(survey: OpenHcsSurvey, subdirectory: OpenHcsSubdirectory): readonly OpenHcsStore[] {
  const backends = subdirectory.backends.length > 0 ? subdirectory.backends : survey.backends;
  const stores: OpenHcsStore[] = [];
  if (backends.includes('zarr')) stores.push('zarr');
  if (subdirectory.mapped > 0) stores.push('mapping');
  else if (subdirectory.listed > 0) stores.push('list');
  return stores;
}
