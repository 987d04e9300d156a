import { basename } from 'node:path';
import type { FormatHandler, IndexOptions } from '../formats.ts';
import type { PlateFacts, PlateWarning } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { PlateIndexBuilder } from '../model/plate-index-builder.ts';
import { detectHarmony } from './shared/harmony-detect.ts';
import { HarmonyFiles } from './shared/harmony-files.ts';
import type { HarmonyIndex } from './shared/harmony-index.ts';
import { type PlacedPlanes, placePlanes } from './shared/harmony-planes.ts';
import { indexWarnings, plateFacts, readHarmonyIndex } from './shared/harmony-read.ts';
import { walkPlate } from './shared/plate-walk.ts';

function shape(index: HarmonyIndex | undefined): string {
  if (!index) return 'Harmony images without an Index';
  return `Harmony export, ${index.path}${index.schema === '' ? '' : ` of schema ${index.schema}`}`;
}

function gatherFacts(
  root: string,
  index: HarmonyIndex | undefined,
  { channels, measures, sites }: PlacedPlanes,
  warnings: PlateWarning[],
): PlateFacts {
  const { declared, ...plate } = index ? plateFacts(index) : {};
  const told: Record<string, string | number | boolean> = { ...declared };
  if (sites.orphans.length > 0) told['OrphanFields'] = sites.orphans.join(', ');
  const facts: PlateFacts = {
    name: basename(root),
    ...plate,
    format: 'harmony',
    formatDetail: shape(index),
    channels: index
      ? index.channels.facts(channels)
      : [...channels].sort((a, b) => a - b).map((number) => ({ number })),
    ...(index ? index.channels.pixelSize(channels, index.path, warnings) : {}),
    ...(sites.grid ? { grid: sites.grid } : {}),
    ...measures.facts(),
    ...(Object.keys(told).length > 0 ? { declared: told } : {}),
  };
  if (index) warnings.push(...index.channels.warnings(index.path));
  return facts;
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  let builder: PlateIndexBuilder | undefined;
  let files: HarmonyFiles | undefined;
  let directories = 0;
  for await (const directory of walkPlate(root, signal, options)) {
    builder ??= new PlateIndexBuilder(root, directory);
    files ??= new HarmonyFiles(builder);
    const number = directories === 0 ? 0 : builder.addDirectory(directory.parent, directory.name, directory);
    directories += 1;
    files.sort(number, directory);
    options.onProgress?.({ files: builder.fileCount, directories });
  }
  if (!builder || !files) throw new Error('the walk yields the root or throws');
  const reading = await readHarmonyIndex(root, files, signal);
  for (const { file, sizeBytes, mtimeMs } of reading.evidence) builder.addEvidence(file, sizeBytes, mtimeMs);
  const placed = placePlanes(builder, files, reading.index);
  const warnings: PlateWarning[] = [
    ...reading.warnings,
    ...(reading.index ? indexWarnings(reading.index) : []),
    ...placed.warnings,
    ...files.warnings(),
  ];
  const facts = gatherFacts(root, reading.index, placed, warnings);
  for (const warning of warnings) builder.addWarning(warning);
  return builder.finish(facts);
}

const harmony: FormatHandler = {
  id: 'harmony',
  title: 'Harmony (Operetta, Opera Phenix, Sonata)',
  detect: detectHarmony,
  index,
};

export default harmony;
