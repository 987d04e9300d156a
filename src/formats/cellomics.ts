import { basename } from 'node:path';
import { plainText } from '../core/metadata-values.ts';
import type { Detection, FormatHandler, IndexOptions } from '../formats.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { parseCellomicsName } from './shared/cellomics-name.ts';
import { tiffExtension } from './shared/metaxpress-name.ts';
import { baseName, NamedPlanes, type NameGrammar, surveyNames } from './shared/named-planes.ts';
import { type FolderSight, firstNamed, searchPlate } from './shared/plate-search.ts';

const isPlane = (name: string): boolean =>
  tiffExtension(name) !== '' && parseCellomicsName(name) !== undefined;

const GRAMMAR: NameGrammar = {
  pattern: '<plate>_<well>f<field>d<channel>.tif',
  isImage: isPlane,
  isMetadata: (name) => /\.(?:xml|xsl|asc)$/i.test(name),
};

async function judge({ files }: FolderSight): Promise<Omit<Detection, 'root'>> {
  const image = firstNamed(files, isPlane);
  if (image !== undefined) return { confidence: 'certain', reason: image };
  const closed = firstNamed(files, (name) => /\.(?:c01|dib)$/i.test(name));
  return {
    confidence: 'no',
    reason:
      closed === undefined
        ? `no image named ${GRAMMAR.pattern}`
        : `${closed} is Cellomics' own format, which is passed through, not decoded: export the plate as TIFF`,
  };
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const survey = await surveyNames(root, options, signal, GRAMMAR);
  const planes = new NamedPlanes(survey);
  const plates = new Set<string>();
  const channels = new Set<number>();
  for (const [path, file] of survey.images) {
    const name = parseCellomicsName(baseName(path));
    if (!name) continue;
    const channel = (name.channel ?? 0) + 1;
    channels.add(channel);
    if (plates.size < 2) plates.add(name.plate.replace(/_p\d+_z\d+.*$/i, ''));
    planes.add(path, file, {
      ...name.well,
      site: name.field + 1,
      channel,
      z: (name.z ?? 0) + 1,
      t: 1,
    });
  }
  planes.finish();
  const [plate = ''] = plates;
  return survey.builder.finish({
    name: (plates.size === 1 ? plainText(plate) : undefined) ?? basename(root),
    format: 'cellomics',
    formatDetail: 'Cellomics / CellInsight TIFF export',
    channels: [...channels].sort((a, b) => a - b).map((number) => ({ number })),
  });
}

const cellomics: FormatHandler = {
  id: 'cellomics',
  title: 'Cellomics / CellInsight',
  detect: (folder, signal) => searchPlate(folder, judge, signal),
  index,
};

export default cellomics;
