import { fieldNumberOf } from '../model/field-numbers.ts';
import { PlaneNames } from '../model/plane-names.ts';
import { openhcsParser } from '../model/plane-naming.ts';
import { planeName } from '../model/plate-lookup.ts';
import { type WellPosition, wellName } from '../model/well.ts';
import type { SharedTree } from './shared-tree.ts';
import type { IsShown } from './tables/image-sets.ts';

/** How OpenHCS calls the wells of Harmony names: `R01C01`. */
function numericWell({ row, column }: WellPosition): string {
  const pad = (value: number): string => String(value + 1).padStart(2, '0');
  return `R${pad(row)}C${pad(column)}`;
}

type Labels = Record<string, string | null>;

/**
 * `openhcs_metadata.json` for a mount, so that OpenHCS opens it as a plate of files on disk: one subdirectory,
 * `images`. Where its parsers don't know the names, a workspace mapping gives it canonical ones. Keys as OpenHCS
 * 0.5.15 reads them; what the plate does not say is left out,
 * and planes that images/ has no file of are.
 */
export function openhcsDocument(
  { index, naming }: Pick<SharedTree, 'index' | 'naming'>,
  isShown?: IsShown,
): string {
  const names = new PlaneNames(index, naming);
  const parser = openhcsParser(naming.template);
  const mapping: Record<string, string> = {};
  const { facts, planes } = index;
  const imageFiles: string[] = [];
  const wells: Labels = {};
  const sites: Labels = {};
  const zs: Labels = {};
  const ts: Labels = {};
  const channels: Labels = {};
  for (let plane = 0; plane < planes.count; plane++) {
    if (isShown?.(plane) === false) continue;
    const path = `images/${names.pathOf(plane)}`;
    if (parser === undefined) mapping[`images/${planeName(index, plane)}`] = path;
    else imageFiles.push(path);
    const well = { row: planes.rows[plane] ?? 0, column: planes.columns[plane] ?? 0 };
    wells[parser === 'OperaPhenixFilenameParser' ? numericWell(well) : wellName(well)] = null;
    const byField = parser !== undefined && naming.template.includes('{field');
    sites[String(byField ? fieldNumberOf(index, plane) : planes.sites[plane])] = null;
    zs[String(planes.zs[plane])] = null;
    ts[String(planes.ts[plane])] = null;
    channels[String(planes.channels[plane])] ??= null;
  }
  for (const { number, name } of facts.channels)
    if (name !== undefined && number in channels) channels[number] = name;
  const images = {
    microscope_handler_name: facts.format === 'imagexpress' ? 'imagexpress' : 'openhcsdata',
    source_filename_parser_name: parser ?? 'ImageXpressFilenameParser',
    ...(facts.grid === undefined ? {} : { grid_dimensions: [facts.grid.rows, facts.grid.columns] }),
    ...(facts.pixelSizeUm === undefined ? {} : { pixel_size: facts.pixelSizeUm.x }),
    ...(parser === undefined ? { workspace_mapping: mapping } : { image_files: imageFiles }),
    channels,
    wells,
    sites,
    z_indexes: zs,
    timepoints: ts,
    available_backends: { disk: true, ...(parser === undefined ? { virtual_workspace: true } : {}) },
    main: true,
  };
  return `${JSON.stringify({ subdirectories: { images } }, undefined, 2)}\n`;
}
