import type { PlateIndex } from '../model/plate-index.ts';
import { planeName } from '../model/plate-lookup.ts';
import { wellName } from '../model/well.ts';

type Labels = Record<string, string | null>;

/**
 * `openhcs_metadata.json` for a mount, so that OpenHCS opens it as a plate of files on disk: one subdirectory,
 * `images`, with canonical names. Keys as OpenHCS 0.5.15 reads them; what the plate does not say is left out.
 */
export function openhcsDocument(index: PlateIndex): string {
  const { facts, planes } = index;
  const imageFiles: string[] = [];
  const wells: Labels = {};
  const sites: Labels = {};
  const zs: Labels = {};
  const ts: Labels = {};
  const channels: Labels = {};
  for (let plane = 0; plane < planes.count; plane++) {
    imageFiles.push(`images/${planeName(index, plane)}`);
    wells[wellName({ row: planes.rows[plane] ?? 0, column: planes.columns[plane] ?? 0 })] = null;
    sites[String(planes.sites[plane])] = null;
    zs[String(planes.zs[plane])] = null;
    ts[String(planes.ts[plane])] = null;
    channels[String(planes.channels[plane])] ??= null;
  }
  for (const { number, name } of facts.channels)
    if (name !== undefined && number in channels) channels[number] = name;
  const images = {
    microscope_handler_name: facts.format === 'imagexpress' ? 'imagexpress' : 'openhcsdata',
    source_filename_parser_name: 'ImageXpressFilenameParser',
    ...(facts.grid === undefined ? {} : { grid_dimensions: [facts.grid.rows, facts.grid.columns] }),
    ...(facts.pixelSizeUm === undefined ? {} : { pixel_size: facts.pixelSizeUm.x }),
    image_files: imageFiles,
    channels,
    wells,
    sites,
    z_indexes: zs,
    timepoints: ts,
    available_backends: { disk: true },
    main: true,
  };
  return `${JSON.stringify({ subdirectories: { images } }, undefined, 2)}\n`;
}
