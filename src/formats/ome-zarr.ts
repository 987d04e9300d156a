import { basename } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { BadMetadataError, CancelledError } from '../core/errors.ts';
import type { FormatHandler, IndexOptions } from '../formats.ts';
import type { ChannelFacts, PlateFacts } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { readGroup } from '../zarr/group.ts';
import { type NgffPlate, ngffOf, parseImage, parsePlate } from '../zarr/ngff-metadata.ts';
import { describeStore, detectOmeZarr, ngffKind, storeBelow } from './shared/ngff-detect.ts';
import {
  channelFacts,
  channelOffsets,
  declaredFacts,
  hasPositions,
  measuredFacts,
} from './shared/ngff-facts.ts';
import { NgffStore } from './shared/ngff-images.ts';
import { addPlanes, type PlacedImage, readPlacedImage } from './shared/ngff-planes.ts';
import { StoreFiles } from './shared/store-files.ts';

/** Images read between two turns of the event loop. */
const SLICE = 32;

/** Rows and columns of the plate, where the lists are complete from A and 1 on. */
function plateSize(plate: NgffPlate | undefined): Pick<PlateFacts, 'plateRows' | 'plateColumns'> {
  const rows = plate?.rows ?? [];
  const columns = plate?.columns ?? [];
  const isWhole =
    rows.length > 0 &&
    columns.length > 0 &&
    rows.every((name, place) => name === String.fromCharCode(65 + place) || rows.length > 26) &&
    columns.every((name, place) => Number(name) === place + 1);
  return isWhole ? { plateRows: rows.length, plateColumns: columns.length } : {};
}

/** RGB of a colour as `omero` has it, with or without `#` and an alpha behind; undefined where it is none. */
const rgbOf = (color: string | undefined): string | undefined =>
  /^#?([0-9a-f]{6})(?:[0-9a-f]{2})?$/i.exec(color ?? '')?.[1]?.toUpperCase();

/** The channels with the colours that the store shows them in. */
const withColors = (
  channels: readonly ChannelFacts[],
  colors: ReadonlyMap<number, string>,
): readonly ChannelFacts[] =>
  channels.map((channel) => {
    const color = rgbOf(colors.get(channel.number));
    return color === undefined ? channel : { ...channel, color };
  });

const withoutExtension = (name: string): string => name.replace(/(?:\.ome)?\.zarr$/i, '');

async function index(root: string, options: IndexOptions, signal: AbortSignal): Promise<PlateIndex> {
  const files = await StoreFiles.walk(root, options, signal);
  const { builder } = files;
  const store = await storeBelow(root);
  const group = store === undefined ? undefined : readGroup(`${root}/${store}`);
  const ngff = ngffOf(group?.attributes ?? {});
  const kind = ngffKind(ngff);
  if (store === undefined || !group || !kind)
    throw new BadMetadataError(root, 'the OME-Zarr metadata that was seen is gone', {
      advice: 'mount it again',
    });
  const reader = new NgffStore(root, store);
  reader.remember('', group.files);
  const placed: PlacedImage[] = [];
  let looked = 0;
  for (const place of reader.images(kind, group, files.foldersIn(store))) {
    if (signal.aborted) throw new CancelledError('indexing was cancelled');
    if ((looked += 1) % SLICE === 0) await breathe();
    const image = readPlacedImage(reader, place, (path) => files.numberOf(path));
    if (image) placed.push(image);
  }
  const plate = parsePlate(ngff);
  const offsets = channelOffsets(plate, placed);
  const withPositions = hasPositions(placed);
  const shown = placed.filter((image) =>
    addPlanes(builder, reader, image, offsets.get(image.acquisition) ?? 0, withPositions),
  );
  const measured = measuredFacts(reader, shown);
  const { channels, colors } = channelFacts(reader, shown, offsets);
  files.addEvidence(reader.readFiles);
  for (const warning of [...files.warnings, ...reader.warnings]) builder.addWarning(warning);
  const acquisitions = offsets.size > 1 ? `, ${offsets.size} acquisitions as further channels` : '';
  return builder.finish({
    name: plate?.name ?? parseImage(ngff)?.name ?? withoutExtension(basename(store === '' ? root : store)),
    format: 'ome-zarr',
    formatDetail: describeStore(kind, ngff, group.zarrFormat) + acquisitions,
    channels: withColors(channels, colors),
    ...measured,
    ...plateSize(plate),
    ...declaredFacts(plate, offsets, colors, channels.length),
  });
}

/**
 * OME-Zarr: plates of OME-NGFF 0.1 to 0.5, images that belong to no plate, and bioformats2raw's series. Planes are
 * those of each image's full resolution.
 */
const omeZarr: FormatHandler = {
  id: 'ome-zarr',
  title: 'OME-Zarr',
  detect: async (folder) => await detectOmeZarr(folder),
  index,
};

export default omeZarr;
