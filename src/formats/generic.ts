import { basename } from 'node:path';
import { BadParameterError } from '../core/errors.ts';
import type { Detection, FormatHandler, IndexOptions } from '../formats.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { PlateIndexBuilder } from '../model/plate-index-builder.ts';
import { compileSourceLayout } from '../model/source-layout.ts';
import { LayoutFiles } from './shared/layout-files.ts';
import { proposeLayout } from './shared/layout-proposal.ts';
import { walkPlate } from './shared/plate-walk.ts';

/** Never recognises a folder by itself: what names mean is for their owner to say. */
async function detect(folder: string, signal: AbortSignal): Promise<Detection> {
  const found = await proposeLayout(folder, signal);
  if (typeof found === 'string') return { confidence: 'no', reason: found };
  return {
    confidence: 'no',
    reason: `its names might be read as '${found.template}' (${found.matched} of ${found.images} images), which you have to say`,
    proposal: found,
  };
}

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  if (options.layout === undefined)
    throw new BadParameterError('layout', "is missing; write what the names say, like '{well}_{site}.tif'");
  const layout = compileSourceLayout({ parameter: 'layout', template: options.layout });
  let builder: PlateIndexBuilder | undefined;
  let files: LayoutFiles | undefined;
  let directories = 0;
  for await (const directory of walkPlate(root, signal, options)) {
    builder ??= new PlateIndexBuilder(root, directory);
    files ??= new LayoutFiles(layout, builder);
    const number = directories === 0 ? 0 : builder.addDirectory(directory.parent, directory.name, directory);
    directories += 1;
    files.take(number, directory);
    options.onProgress?.({ files: builder.fileCount, directories });
  }
  if (!builder || !files) throw new Error('the walk yields the root or throws');
  const { channels, notes } = files.finish();
  return builder.finish({
    name: basename(root),
    format: 'generic',
    formatDetail: [`names read as ${layout.template}`, ...notes].join('; '),
    layout: layout.template,
    channels,
  });
}

const generic: FormatHandler = {
  id: 'generic',
  title: 'Folder with a layout you give',
  takesLayout: true,
  detect,
  index,
};

export default generic;
