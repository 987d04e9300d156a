import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { storage } from '../core/storage.ts';
import { chunkKeyOf, isPacked } from './array-format.ts';
import { nameExists, place } from './atomic-json.ts';
import { labelledImage } from './label-images.ts';
import { loadSidecar } from './landed-image.ts';
import { type ImageLanding, LANDED_PATH, type Landing, type PlainLanding, STORE_NAME } from './landing.ts';
import type { CommitContext } from './landing-commit.ts';
import { dropJob } from './pack-batch.ts';
import { isRecordedFile, plainRecordPath, readPlainRecord } from './plain-placement.ts';
import { demandSync, publishMetadata } from './publish-metadata.ts';
import { type ResultImage, readResultImage } from './result-image.ts';
import type { Sidecar } from './sidecar.ts';
import { planeKey, withoutPlanes } from './written-planes.ts';

/** A landed image that is to go, and whose record is still there. */
interface Departure {
  readonly landing: ImageLanding;
  readonly sidecarPath: string;
  readonly sidecar: Sidecar;
}

/**
 * Removes what landings left in the output folder: nothing where another file has landed in its place since. Planes
 * that share a chunk file with others go together, for it has to be written anew without them. Doing it again after a
 * crash is no error.
 */
export async function removeLandings(context: CommitContext, landings: readonly Landing[]): Promise<void> {
  const { outputDir } = context;
  const images = new Map<string, Departure[]>();
  await removePlainFiles(
    context,
    landings.filter((landing) => landing.kind === 'plain'),
  );
  for (const landing of landings) {
    if (landing.kind === 'plain') continue;
    const departure = departureOf(outputDir, landing);
    if (!departure) continue;
    const known = images.get(landing.path);
    if (known) known.push(departure);
    else images.set(landing.path, [departure]);
  }
  for (const [path, departures] of images) await removePlanes(context, path, departures);
  const layout = images.size > 0 ? context.store.layoutFiles() : [];
  if (layout.length > 0) await publishMetadata(context, layout);
  await context.sync([]);
}

/** Their tables first, off the list before they go: the records are gone when all is. */
async function removePlainFiles(context: CommitContext, landings: readonly PlainLanding[]): Promise<void> {
  const { outputDir, store, stagingDir } = context;
  const records = landings.flatMap(({ path, id }) => {
    const record = readPlainRecord(outputDir, path);
    return record?.id === id ? [record] : [];
  });
  const tables = records.flatMap(({ table }) => (table === undefined ? [] : [table]));
  const files = tables.length > 0 ? store.dismissTables(tables) : [];
  if (files.length > 0) await publishMetadata(context, files);
  for (const table of tables) moveOut(join(store.path, table), stagingDir);
  for (const record of records) {
    if (isRecordedFile(outputDir, record)) storage.remove(join(outputDir, record.path));
    storage.remove(join(outputDir, plainRecordPath(record.path)));
  }
}

/** A folder goes at once, also for one who has the store open. */
function moveOut(folder: string, stagingDir: string): void {
  const aside = join(stagingDir, `removed-${randomUUID()}`);
  if (nameExists(folder)) place(folder, aside);
  storage.removeTree(aside);
}

function departureOf(outputDir: string, landing: ImageLanding): Departure | undefined {
  const sidecarPath = join(outputDir, landing.sidecar);
  if (!nameExists(sidecarPath)) return undefined;
  const { sidecar } = loadSidecar(sidecarPath);
  return sidecar.id === landing.id ? { landing, sidecarPath, sidecar } : undefined;
}

/** Takes planes out of the image at `path`, or the whole image when they are its last ones. */
async function removePlanes(
  context: CommitContext,
  path: string,
  departures: readonly Departure[],
): Promise<void> {
  const { outputDir, store } = context;
  const leaving = new Set(departures.map(({ sidecarPath }) => sidecarPath));
  const [first] = departures;
  if (!first) return;
  const folder = dirname(first.sidecarPath);
  const imagePath = path.slice(STORE_NAME.length + 1);
  const image = readResultImage(store.version, store.path, imagePath);
  const isLast = readdirSync(folder).every((name) => leaving.has(join(folder, name)));
  const isLabel = first.landing.placement === 'label';
  // An image without a plane stays as long as labels lie below it.
  if (isLast && (isLabel || !store.hasLabels(imagePath)))
    await removeImage(context, imagePath, first.landing.placement);
  else if (image) {
    await dropPlanes(context, image, departures);
    await publishMetadata(context, store.admit([withoutDepartures(image, departures)], []));
  }
  const labelled = labelledImage(imagePath);
  if (isLast && isLabel && !store.hasLabels(labelled) && !hasRecords(outputDir, labelled))
    await removeImage(context, labelled, 'plate');
  for (const { landing, sidecarPath } of departures) {
    if (landing.verbatim !== undefined) storage.remove(join(outputDir, landing.verbatim));
    storage.remove(sidecarPath);
  }
}

/** The image, in which nothing is said any more of planes that are gone. */
function withoutDepartures(image: ResultImage, departures: readonly Departure[]): ResultImage {
  const keys = departures.flatMap(({ sidecar }) => sidecar.planes.map(([t, c, z]) => planeKey([t, c, z])));
  return { ...image, written: withoutPlanes(image.written, new Set(keys)) };
}

/** Whether a plane of the image is still a file's. */
function hasRecords(outputDir: string, imagePath: string): boolean {
  const folder = join(outputDir, LANDED_PATH, 'images', imagePath);
  return nameExists(folder) && readdirSync(folder).length > 0;
}

async function removeImage(
  context: CommitContext,
  imagePath: string,
  placement: ImageLanding['placement'],
): Promise<void> {
  const { store, stagingDir } = context;
  const files =
    placement === 'plate'
      ? store.dismiss(imagePath)
      : placement === 'label'
        ? store.dismissLabel(imagePath)
        : [];
  if (placement === 'plate' || files.length > 0) await publishMetadata(context, files);
  const isLastLabel = placement === 'label' && files.length === 0;
  moveOut(join(store.path, isLastLabel ? dirname(imagePath) : imagePath), stagingDir);
}

/** The full resolution goes first: a lower one never lacks a plane that it has. */
async function dropPlanes(
  context: CommitContext,
  image: ResultImage,
  departures: readonly Departure[],
): Promise<void> {
  const { store, stagingDir, pack } = context;
  const byKey = new Map<string, [t: number, c: number, z: number][]>();
  for (const { sidecar } of departures)
    for (const [t, c, z] of sidecar.planes) {
      const key = chunkKeyOf(image.format, [t, c, z]);
      byKey.set(key, [...(byKey.get(key) ?? []), [t, c, z]]);
    }
  for (let level = 0; level < image.levels.count; level++)
    for (const [key, dropped] of byKey) {
      const path = join(store.path, image.path, String(level), key);
      if (!isPacked(image.format)) storage.remove(path);
      else if (nameExists(path)) {
        const stagedPath = join(stagingDir, `dropped-${departures[0]?.landing.inode}`);
        const { isEmpty } = await pack(dropJob(image, level, path, stagedPath, dropped));
        if (isEmpty) storage.remove(path);
        else {
          await demandSync(context, [stagedPath]);
          place(stagedPath, path);
        }
        storage.remove(stagedPath);
      }
    }
}
