import { basename, dirname } from 'node:path';
import type { FormatHandler, IndexOptions } from '../formats.ts';
import type { PlateFacts, PlateWarning } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { PlateIndexBuilder } from '../model/plate-index-builder.ts';
import { detectImageXpress } from './shared/imagexpress-detect.ts';
import { FileSorter } from './shared/imagexpress-files.ts';
import { type HtdFile, type HtdReading, readHtds } from './shared/imagexpress-htd.ts';
import { FolderPlaces } from './shared/imagexpress-places.ts';
import { type SampledFacts, sampleTiffs } from './shared/imagexpress-sample.ts';
import { walkPlate } from './shared/plate-walk.ts';

/** `<plate>/<yyyy-mm-dd>/<id>`: the plate's own name stands two levels up. */
function plateName(root: string): string {
  const parent = dirname(root);
  return /^\d{4}-\d{2}-\d{2}$/.test(basename(parent)) ? basename(dirname(parent)) : basename(root);
}

function shape(files: FileSorter, htd: HtdReading, nested: string): string {
  const kind =
    files.guids > 0
      ? 'MetaXpress database folder'
      : htd.facts
        ? 'MetaXpress export with HTD'
        : nested === ''
          ? 'flat MetaXpress folder'
          : 'MetaXpress export without HTD';
  return nested === '' ? kind : `${kind}, ${nested}`;
}

function declared({ facts }: HtdReading, sampled: SampledFacts): Pick<PlateFacts, 'declared'> {
  const values: Record<string, string | number | boolean> = {};
  if (facts?.timePoints !== undefined) values['TimePoints'] = facts.timePoints;
  if (facts?.zSteps !== undefined) values['ZSteps'] = facts.zSteps;
  if (facts?.zProjection !== undefined) values['ZProjection'] = facts.zProjection;
  if (facts?.description !== undefined) values['Description'] = facts.description;
  if (facts?.plateIdentifier !== undefined) values['UniquePlateIdentifier'] = facts.plateIdentifier;
  for (const [channel, method] of sampled.projections) values[`w${channel} projection`] = method;
  return Object.keys(values).length > 0 ? { declared: values } : {};
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  let builder: PlateIndexBuilder | undefined;
  let files: FileSorter | undefined;
  const places = new FolderPlaces();
  const htds: HtdFile[] = [];
  let directories = 0;
  for await (const directory of walkPlate(root, signal, options)) {
    builder ??= new PlateIndexBuilder(root, directory);
    files ??= new FileSorter(builder);
    const number = directories === 0 ? 0 : builder.addDirectory(directory.parent, directory.name, directory);
    directories += 1;
    const place = places.enter(number, directory);
    files.sort(number, directory, place, htds);
    options.onProgress?.({ files: builder.fileCount, directories });
  }
  if (!builder || !files) throw new Error('the walk yields the root or throws');
  files.warnFolders();
  const htd = await readHtds(root, htds);
  for (const { file, sizeBytes, mtimeMs } of htd.evidence) builder.addEvidence(file, sizeBytes, mtimeMs);
  const named = builder.finish({
    name: plateName(root),
    format: 'imagexpress',
    formatDetail: shape(files, htd, places.describe()),
    channels: [],
    ...(htd.facts?.grid ? { grid: htd.facts.grid } : {}),
    ...(htd.facts?.plateRows === undefined ? {} : { plateRows: htd.facts.plateRows }),
    ...(htd.facts?.plateColumns === undefined ? {} : { plateColumns: htd.facts.plateColumns }),
  });
  const sampled = await sampleTiffs(named, htd.facts?.waveNames ?? new Map());
  const evidenceFiles = new Set(named.evidenceFiles);
  for (const file of sampled.files) evidenceFiles.add(file);
  const facts: PlateFacts = {
    ...named.facts,
    ...sampled.facts,
    channels: sampled.channels,
    ...declared(htd, sampled),
  };
  const warnings: PlateWarning[] = [...htd.warnings, ...named.warnings, ...sampled.warnings];
  return { ...named, facts, warnings, evidenceFiles: [...evidenceFiles].sort((a, b) => a - b) };
}

const imagexpress: FormatHandler = {
  id: 'imagexpress',
  title: 'ImageXpress / MetaXpress',
  detect: detectImageXpress,
  index,
};

export default imagexpress;
