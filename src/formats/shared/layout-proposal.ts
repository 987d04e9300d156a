import { BadParameterError, CancelledError } from '../../core/errors.ts';
import type { LayoutProposal } from '../../formats.ts';
import { compareNatural } from '../../model/natural-order.ts';
import { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import { filePath, planeName } from '../../model/plate-lookup.ts';
import { compileSourceLayout } from '../../model/source-layout.ts';
import { escapeTemplateText } from '../../model/template-text.ts';
import { LayoutFiles } from './layout-files.ts';
import { isJunkName } from './left-out.ts';
import { tiffExtension } from './metaxpress-name.ts';
import { type NameColumn, nameColumns } from './name-columns.ts';
import { type PartRole, partRoles } from './part-roles.ts';
import { type WalkedDirectory, walkPlate } from './plate-walk.ts';

/** Enough to see what varies. */
const MAX_IMAGES = 4000;
const MAX_FOLDERS = 300;
const EXAMPLES = 4;

/** Some of a folder's images, level by level. */
async function sampleOf(folder: string, signal: AbortSignal): Promise<WalkedDirectory[]> {
  const sample: WalkedDirectory[] = [];
  let images = 0;
  for await (const directory of walkPlate(folder, signal)) {
    if (signal.aborted) throw new CancelledError('detection was cancelled');
    const files = directory.files
      .filter((name) => tiffExtension(name) !== '' && !isJunkName(name))
      .slice(0, MAX_IMAGES - images);
    images += files.length;
    sample.push({ ...directory, files });
    if (images >= MAX_IMAGES || sample.length >= MAX_FOLDERS) break;
  }
  return sample;
}

/** Paths without extension; names that no template can hold are left out. */
function pathsOf(sample: readonly WalkedDirectory[]): string[] {
  return sample.flatMap(({ path, files }) =>
    files
      .map((name) => (path === '' ? name : `${path}/${name}`))
      .filter((name) => !/[\p{Cc}*]/u.test(name) && !name.split('/').some(isJunkName))
      .map((name) => name.slice(0, name.length - tiffExtension(name).length)),
  );
}

function templateOf(columns: readonly NameColumn[], roles: readonly PartRole[], extension: string): string {
  let template = '';
  for (const [i, column] of columns.entries()) {
    const token = roles[i]?.token;
    template += escapeTemplateText(column.before);
    if (token === undefined) template += escapeTemplateText(column.texts[0] ?? '');
    else if (token !== '*' || !template.endsWith('*')) template += token;
  }
  return template + extension;
}

/** Reads the sample by the template, as a mount would read the whole. */
function tryOut(
  template: string,
  sample: readonly WalkedDirectory[],
): Pick<LayoutProposal, 'examples' | 'matched' | 'collisions'> {
  const layout = compileSourceLayout({ parameter: 'layout', template });
  const builder = new PlateIndexBuilder('/');
  const files = new LayoutFiles(layout, builder);
  for (const [number, directory] of sample.entries()) {
    if (number > 0) builder.addDirectory(directory.parent, directory.name, directory);
    files.take(number, directory);
  }
  const { channels } = files.finish();
  const matched = builder.planeCount;
  const index = builder.finish({ name: '', format: '', formatDetail: '', channels });
  const step = Math.max(1, Math.floor(index.planes.count / EXAMPLES));
  const examples = Array.from({ length: Math.min(EXAMPLES, index.planes.count) }, (_, i) => ({
    path: filePath(index, index.planes.files[i * step] ?? 0),
    name: planeName(index, i * step),
  }));
  return { examples, matched, collisions: matched - index.planes.count };
}

/**
 * Draws from the names of a folder's images which parts vary and what they might be, or says why it can't.
 * @throws UnreadableSourceError, CancelledError
 */
export async function proposeLayout(folder: string, signal: AbortSignal): Promise<LayoutProposal | string> {
  const sample = await sampleOf(folder, signal);
  const images = sample.reduce((sum, { files }) => sum + files.length, 0);
  if (images === 0) return 'it holds no TIFF, as far as was looked';
  const paths = pathsOf(sample);
  const depths = new Map<number, number>();
  for (const path of paths) {
    const depth = path.split('/').length;
    depths.set(depth, (depths.get(depth) ?? 0) + 1);
  }
  const depth = [...depths].sort((a, b) => b[1] - a[1])[0]?.[0];
  const alike = paths.filter((path) => path.split('/').length === depth);
  if (alike.length === 0) return 'no name of its images can be written in a template';
  const columns = nameColumns(alike);
  const roles = partRoles(columns);
  const only = roles.every(({ token }) => token === undefined || token === '*');
  if (only)
    return images === 1
      ? `it holds one image, ${alike[0]}, which says nothing of a well or site`
      : 'nothing in the names of its images looks like a well, site, channel, z or t';
  const extension = sample.flatMap(({ files }) => files).find((name) => tiffExtension(name) !== '') ?? '';
  const template = templateOf(columns, roles, tiffExtension(extension));
  let outcome: ReturnType<typeof tryOut>;
  try {
    outcome = tryOut(template, sample);
  } catch (error) {
    if (error instanceof BadParameterError)
      return `what varies in the names of its images can't be told apart: ${error.message}`;
    throw error;
  }
  return {
    template,
    parts: columns.flatMap(({ distinct }, i) => {
      const { token, why } = roles[i] ?? { token: undefined, why: '' };
      if (token === undefined) return [];
      return [
        {
          token,
          why,
          distinct: distinct.size,
          examples: [...distinct].sort(compareNatural).slice(0, EXAMPLES),
        },
      ];
    }),
    images,
    ...outcome,
  };
}
