import { basename } from 'node:path';
import { PlateFsError } from '../core/errors.ts';
import type { Detection, FormatHandler, IndexOptions } from '../formats.ts';
import type { ChannelFacts } from '../model/plate.ts';
import { plateAxes } from '../model/plate-axes.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { type JdceFacts, MAX_JDCE_BYTES, parseJdce } from './shared/hcsai-jdce.ts';
import { readManifest } from './shared/hcsai-manifest.ts';
import { isHcsAiManifest, isHcsAiTimeFolder, parseHcsAiName } from './shared/hcsai-name.ts';
import { isJunkName, leftOut } from './shared/left-out.ts';
import { ListedPlanes } from './shared/listed-planes.ts';
import { readMetadata } from './shared/metadata-file.ts';
import { tiffExtension } from './shared/metaxpress-name.ts';
import { type FolderSight, firstNamed, searchPlate } from './shared/plate-search.ts';
import { type PlateSurvey, type Sorting, surveyPlate } from './shared/plate-survey.ts';
import { WarningTally } from './shared/warning-tally.ts';

const isJdce = (name: string): boolean => name.toLowerCase().endsWith('.jdce');
const MANIFEST_RULE = 'images are told by their names; what only the manifest knows is absent';

async function judge({ path, files, directories }: FolderSight): Promise<Omit<Detection, 'root'>> {
  const jdce = firstNamed(files, isJdce);
  const beside = [firstNamed(files, isHcsAiManifest), firstNamed(directories, isHcsAiTimeFolder)].filter(
    (name) => name !== undefined,
  );
  if (jdce === undefined)
    return beside.length === 2
      ? { confidence: 'maybe', reason: `${beside.join(', ')}, but no .jdce file` }
      : { confidence: 'no', reason: 'no .jdce file' };
  const reason = [jdce, ...beside].join(', ');
  if (beside.length === 0)
    return { confidence: 'maybe', reason: `${reason}, but neither manifest nor images` };
  try {
    const { signal } = new AbortController();
    parseJdce(`${path}/${jdce}`, await readMetadata(`${path}/${jdce}`, MAX_JDCE_BYTES, signal));
    return { confidence: 'certain', reason };
  } catch (error) {
    // A damaged descriptor leaves the manifest and the names; indexing warns of it.
    if (error instanceof PlateFsError)
      return { confidence: 'maybe', reason: `${reason}; the .jdce is damaged` };
    throw error;
  }
}

function sort(name: string, folder: string): Sorting {
  if (isJunkName(name)) return 'junk';
  if (tiffExtension(name) !== '') return 'image';
  return isJdce(name) || isHcsAiManifest(name) || /\.(?:statistics\.json|mxprotocol)$/i.test(name)
    ? 'metadata'
    : leftOut(name, folder);
}

async function readJdces(survey: PlateSurvey, signal: AbortSignal): Promise<JdceFacts | undefined> {
  let used: JdceFacts | undefined;
  for (const file of survey.metadataNamed('.jdce')) {
    const facts = await survey.consult(
      file,
      async (path) => parseJdce(file.path, await readMetadata(path, MAX_JDCE_BYTES, signal)),
      'its facts (channel names, pixel size, z step) are absent',
    );
    if (used && facts)
      survey.builder.addWarning({
        kind: 'contradiction',
        message: `the plate has more than one .jdce file; ${file.path} is passed over`,
        files: [file.path],
        rule: 'the first in natural order is used',
      });
    used ??= facts;
  }
  return used;
}

/** The channels of the plate's planes, with what descriptor and manifests say of them. */
function channelFacts(
  numbers: readonly number[],
  jdce: JdceFacts | undefined,
  filters: ReadonlyMap<number, string>,
): ChannelFacts[] {
  const told = new Map((jdce?.channels ?? []).map((facts) => [facts.number, facts]));
  const all = new Set([...numbers, ...told.keys()]);
  return [...all]
    .sort((a, b) => a - b)
    .map((number) => {
      const name = told.get(number)?.name ?? filters.get(number);
      return { number, ...told.get(number), ...(name === undefined ? {} : { name }) };
    });
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const survey = await surveyPlate(root, options, signal, sort);
  const { builder } = survey;
  const jdce = await readJdces(survey, signal);
  const manifests = survey.metadata.filter(({ path }) => isHcsAiManifest(path));
  const planes = new ListedPlanes(survey, {
    list: manifests.length === 1 ? (manifests[0]?.path ?? '') : 'image_metadata_*.csv',
    readName: (path) => parseHcsAiName(path.slice(path.lastIndexOf('/') + 1)),
  });
  const filters = new Map<number, string>();
  const nameless = new WarningTally();
  for (const manifest of manifests)
    await survey.consult(
      manifest,
      (path) =>
        readManifest(
          path,
          ({ plane, filter }) => {
            planes.add(plane);
            const { channel } = plane;
            if (filter !== undefined && channel !== undefined && !filters.has(channel))
              filters.set(channel, filter);
          },
          (line) => nameless.add(manifest.path, `${manifest.path} line ${line}`),
          signal,
        ),
      MANIFEST_RULE,
    );
  planes.finish();
  for (const file of jdce?.manifests ?? [])
    if (!survey.metadata.some(({ path }) => path === file))
      builder.addWarning({
        kind: 'bad-metadata',
        message: `the .jdce names ${JSON.stringify(file.slice(0, 300))}, which is not beside it`,
        files: [],
        rule: MANIFEST_RULE,
      });
  for (const warning of nameless.tell(
    'bad-metadata',
    'row of a manifest names no file',
    'rows of manifests name no file',
    'such a row is passed over',
  ))
    builder.addWarning(warning);
  if (jdce?.unknownUnit !== undefined)
    builder.addWarning({
      kind: 'bad-metadata',
      message: `the pixel size is in ${JSON.stringify(jdce.unknownUnit)}, which is no known unit of length`,
      files: [],
      rule: 'the pixel size is left out',
    });
  const named = builder.finish({
    name: jdce?.name ?? basename(root),
    format: 'imagexpress-hcsai',
    formatDetail: `MetaXpress HCS.ai acquisition${jdce ? '' : ' without .jdce'}${manifests.length > 0 ? '' : ', no manifest'}`,
    ...jdce?.plate,
    ...planes.positions.timeInterval(),
    ...planes.positions.grid(),
    channels: [],
    ...(jdce && Object.keys(jdce.declared).length > 0 ? { declared: jdce.declared } : {}),
  });
  const axes = plateAxes(named);
  const stacked = axes.zs.length > 1;
  const spacing = jdce?.zStepUm === undefined ? planes.positions.zSpacing() : { zSpacingUm: jdce.zStepUm };
  return {
    ...named,
    facts: {
      ...named.facts,
      ...(stacked ? spacing : {}),
      channels: channelFacts(axes.channels, jdce, filters),
    },
  };
}

const imagexpressHcsai: FormatHandler = {
  id: 'imagexpress-hcsai',
  title: 'MetaXpress HCS.ai',
  detect: (folder, signal) => searchPlate(folder, judge, signal),
  index,
};

export default imagexpressHcsai;
