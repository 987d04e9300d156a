import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { acquisitionTime, htdText, metaMorphXml, type PlaneText, TIME_INTERVAL_S } from './metadata-text.ts';
import { DEFAULT_PLATE, type PlateOptions } from './plate-options.ts';
import { guidOf } from './random.ts';
import { Scene } from './scene.ts';
import { tiffFile } from './tiff-file.ts';

/** One plane that was made. */
export interface MadePlane {
  /** Canonical name: `A01_s001_w1_z001_t001.tif`. */
  readonly name: string;
  /** Path below the plate's root. */
  readonly source: string;
  readonly well: string;
  readonly site: number;
  readonly channel: number;
  readonly z: number;
  readonly t: number;
}

/** What was made, and so what must come out. */
export interface PlateTruth {
  /** Absolute path of the plate's root: `<folder>`, or `<folder>/<date>/<id>` of a database plate. */
  readonly root: string;
  readonly planes: readonly MadePlane[];
  readonly excluded: readonly { readonly source: string; readonly why: 'thumbnail' | 'metadata' }[];
  /** Canonical stems that were left out. */
  readonly missing: readonly string[];
  /** `A01_s001` → number of nuclei drawn. */
  readonly cellCounts: ReadonlyMap<string, number>;
}

export type MakeProgress = (done: number, total: number) => void;

const pad = (value: number): string => String(value).padStart(3, '0');
const THUMB_SIZE = 64;
/** Files between two looks at the event loop. */
const YIELD_EVERY = 64;

/** The folder of a plane below the root, '' for the root. */
function folderOf(options: PlateOptions, z: number, t: number): string {
  if (options.shape === 'flat') return '';
  const parts: string[] = [];
  if (options.timePoints > 1 || (options.shape === 'export' && options.zSteps > 1))
    parts.push(`TimePoint_${t}`);
  const beside = z === 0 && options.shape === 'database';
  if ((options.zSteps > 1 || options.projections) && !beside) parts.push(`ZStep_${z}`);
  return parts.join('/');
}

function fileName(options: PlateOptions, plane: Omit<MadePlane, 'name' | 'source'>, thumb: boolean): string {
  const { well, site, channel, z, t } = plane;
  const siteToken = options.sites > 1 ? `_s${site}` : '';
  const waveToken = options.channels.length > 1 ? `_w${channel}` : '';
  const guid =
    options.shape === 'database' ? guidOf(options.seed, well, site, channel, z, t, thumb ? 'thumb' : '') : '';
  return `${options.plateName}_${well}${siteToken}${waveToken}${thumb ? '_thumb' : ''}${guid}${options.extension}`;
}

/** Draws planes: whole scenes, or one small scene per channel with the plane's number stamped in. */
class Camera {
  readonly #options: PlateOptions;
  #scene: Scene | undefined;
  #sceneKey = '';
  readonly #stamps = new Map<number, Uint16Array>();

  constructor(options: PlateOptions) {
    this.#options = options;
  }

  scene(well: string, site: number): Scene {
    const key = `${well}/${site}`;
    if (!this.#scene || this.#sceneKey !== key) {
      this.#scene = new Scene({ ...this.#options, well, site });
      this.#sceneKey = key;
    }
    return this.#scene;
  }

  take(plane: Omit<MadePlane, 'name' | 'source'>, number: number): Uint16Array {
    const { well, site, channel, z, t } = plane;
    if (this.#options.stamped) return this.#stamped(channel, number);
    const scene = this.scene(well, site);
    if (z > 0) return scene.plane(channel, z, t);
    const highest = scene.plane(channel, 1, t);
    for (let step = 2; step <= this.#options.zSteps; step += 1) {
      const pixels = scene.plane(channel, step, t);
      for (let i = 0; i < pixels.length; i += 1) highest[i] = Math.max(highest[i] ?? 0, pixels[i] ?? 0);
    }
    return highest;
  }

  #stamped(channel: number, number: number): Uint16Array {
    let pixels = this.#stamps.get(channel);
    if (!pixels) {
      pixels = this.scene('A01', 1).plane(channel, 1, 1);
      this.#stamps.set(channel, pixels);
    }
    pixels[0] = number & 0xffff;
    pixels[1] = number >>> 16;
    return pixels;
  }
}

/** Nearest-neighbour thumbnail. */
function thumbnail(pixels: Uint16Array, width: number, height: number): Uint16Array {
  const small = new Uint16Array(THUMB_SIZE * THUMB_SIZE);
  for (let y = 0; y < THUMB_SIZE; y += 1)
    for (let x = 0; x < THUMB_SIZE; x += 1) {
      const at = Math.floor((y * height) / THUMB_SIZE) * width + Math.floor((x * width) / THUMB_SIZE);
      small[y * THUMB_SIZE + x] = pixels[at] ?? 0;
    }
  return small;
}

/** All addresses in natural order of their names. */
function* addresses(options: PlateOptions): Generator<Omit<MadePlane, 'name' | 'source'>> {
  const firstZ = options.projections ? 0 : 1;
  for (const well of options.wells)
    for (let site = 1; site <= options.sites; site += 1)
      for (let channel = 1; channel <= options.channels.length; channel += 1)
        for (let z = firstZ; z <= options.zSteps; z += 1)
          for (let t = 1; t <= options.timePoints; t += 1) yield { well, site, channel, z, t };
}

/**
 * Makes an ImageXpress plate below `folder`. The same options give the same bytes on every machine.
 * @throws the file system's error when a file can't be written.
 */
export async function makePlate(
  folder: string,
  wanted: Partial<PlateOptions> = {},
  onProgress: MakeProgress = () => {},
): Promise<PlateTruth> {
  const options = { ...DEFAULT_PLATE, ...wanted };
  const root = options.shape === 'database' ? join(folder, '2024-07-09', '1334') : folder;
  const camera = new Camera(options);
  const missing = new Set(options.missing);
  const planes: MadePlane[] = [];
  const excluded: { source: string; why: 'thumbnail' | 'metadata' }[] = [];
  const cellCounts = new Map<string, number>();
  const folders = new Set<string>();
  const leftOut: string[] = [];
  const steps = options.zSteps + (options.projections ? 1 : 0);
  const total = options.wells.length * options.sites * options.channels.length * steps * options.timePoints;
  const enter = (path: string): void => {
    if (folders.has(path)) return;
    folders.add(path);
    mkdirSync(join(root, path), { recursive: true });
  };
  enter('');
  let number = 0;
  for (const address of addresses(options)) {
    const { well, site, channel, z, t } = address;
    const stem = `${well}_s${pad(site)}_w${channel}_z${pad(z)}_t${pad(t)}`;
    number += 1;
    if (number % YIELD_EVERY === 0) {
      onProgress(number, total);
      await setImmediate();
    }
    if (missing.has(stem)) {
      leftOut.push(stem);
      continue;
    }
    const below = folderOf(options, z, t);
    enter(below);
    const at = (name: string): string => (below === '' ? name : `${below}/${name}`);
    const source = at(fileName(options, address, false));
    const pixels = camera.take(address, number);
    // Each plane some ms after the one before, each time point an interval later.
    const dateTime = acquisitionTime((t - 1) * TIME_INTERVAL_S + channel * 0.4 + z * 0.06);
    const { width, height } = options;
    const common = { compression: options.compression, directoryFirst: options.shape === 'database' };
    const text: PlaneText = { ...address, width, height, dateTime };
    writeFileSync(
      join(root, source),
      tiffFile({
        ...common,
        width,
        height,
        pixels,
        dateTime,
        description: metaMorphXml(options, text),
        rowsPerStrip: options.stamped
          ? height
          : Math.max(1, Math.min(height, Math.floor(8192 / (width * 2)) || 1)),
      }),
    );
    planes.push({ name: stem + options.extension, source, ...address });
    if (!options.stamped) cellCounts.set(`${well}_s${pad(site)}`, camera.scene(well, site).cellCount);
    if (!options.thumbnails) continue;
    const thumb = at(fileName(options, address, true));
    writeFileSync(
      join(root, thumb),
      tiffFile({
        ...common,
        width: THUMB_SIZE,
        height: THUMB_SIZE,
        pixels: thumbnail(pixels, width, height),
        dateTime,
        description: metaMorphXml(options, { ...text, magnification: width / THUMB_SIZE }),
        rowsPerStrip: THUMB_SIZE,
      }),
    );
    excluded.push({ source: thumb, why: 'thumbnail' });
  }
  if (options.htd && options.shape !== 'database') {
    const name = `${options.plateName}.HTD`;
    writeFileSync(join(root, name), htdText(options));
    excluded.push({ source: name, why: 'metadata' });
  }
  onProgress(total, total);
  return { root, planes, excluded, missing: leftOut, cellCounts };
}
