import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makePlate, type PlateTruth } from '../plate-maker/plate-maker.ts';
import { plateOfPlanes } from '../plate-maker/plate-options.ts';
import { tiffFile } from '../plate-maker/tiff-file.ts';
import { type ArrayStores, makeArrayStores } from './array-stores.ts';
import type { Row } from './figure.ts';
import { LinkedFiles } from './linked-files.ts';
import { OwnMounts } from './own-mounts.ts';

export interface BenchOptions {
  readonly rounds: number;
  /** Small plates and files: to see that everything runs, not to quote. */
  readonly quick: boolean;
  /** The sizes of the bars where they are larger than what is measured mostly. */
  readonly full: boolean;
  /** Where plates are made. */
  readonly disk: string;
}

/** Measures rows; each file of measures/ exports some. */
export type Measure = (bench: Bench) => Row[] | Promise<Row[]>;

const AN_HOUR_MS = 3_600_000;
/** 4096 × 8192 × 2 bytes. */
const LARGE = { width: 4096, height: 8192 };
const HUGE = { width: 8192, height: 16_384 };

/** What the measures share: scratch folders, plates, mounts. Everything goes at the end. */
export class Bench implements Disposable {
  readonly options: BenchOptions;
  readonly folder: string;
  readonly memoryFolder: string;
  readonly mounts: OwnMounts;
  readonly #plates = new Map<string, Promise<PlateTruth>>();
  #arrayStores: ArrayStores | undefined;

  constructor(options: BenchOptions) {
    this.options = options;
    this.folder = mkdtempSync(join(options.disk, 'platefs-bench-'));
    this.memoryFolder = mkdtempSync(join('/dev/shm', 'platefs-bench-'));
    this.mounts = new OwnMounts(this.folder);
  }

  newFolder(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  #plate(name: string, make: (folder: string) => Promise<PlateTruth>): Promise<PlateTruth> {
    const made = this.#plates.get(name);
    if (made) return made;
    const fresh = make(join(this.folder, name)).then((truth) => {
      letRest(truth.root);
      return truth;
    });
    this.#plates.set(name, fresh);
    return fresh;
  }

  /** Many tiny planes in TimePoint and ZStep folders. */
  wholePlate(): Promise<PlateTruth> {
    const planes = this.options.quick ? 4_000 : 50_000;
    return this.#plate('plate', (folder) => {
      console.error(`making a plate of ${planes} planes`);
      return makePlate(folder, plateOfPlanes(planes));
    });
  }

  /** One plane of 64 MiB. */
  largePlane(): Promise<PlateTruth> {
    return this.#onePlane('large', LARGE);
  }

  /** One plane of 256 MiB, so that reading it from a disk takes long against opening it. */
  hugePlane(): Promise<PlateTruth> {
    return this.#onePlane('huge', this.options.quick ? LARGE : HUGE);
  }

  #onePlane(name: string, size: typeof LARGE): Promise<PlateTruth> {
    return this.#plate(name, async (folder) => {
      const truth = await makePlate(folder, { ...ONE_PLANE, width: 64, height: 64 });
      const [plane] = truth.planes;
      const pixels = new Uint16Array(size.width * size.height);
      for (let pixel = 0; pixel < pixels.length; pixel++) pixels[pixel] = Math.imul(pixel, 40_503) >>> 16;
      const content = tiffFile({
        ...size,
        pixels,
        description: '',
        dateTime: '20240709 13:13:03.006',
        compression: 'none',
        rowsPerStrip: size.height,
        directoryFirst: true,
      });
      writeFileSync(join(truth.root, plane?.source ?? ''), content);
      return truth;
    });
  }

  /** Two fields of uncompressed planes, 2 MiB each: 64 MiB a field. */
  fields(): Promise<PlateTruth> {
    return this.#plate('fields', (folder) =>
      makePlate(folder, {
        ...ONE_PLANE,
        sites: 2,
        channels: ['DAPI', 'FITC'],
        zSteps: 8,
        timePoints: 2,
        width: FIELD_SIDE,
        height: FIELD_SIDE,
        stamped: true,
      }),
    );
  }

  /** Small fields, of which each has stacks of its own. */
  manyFields(): Promise<PlateTruth> {
    return this.#plate('many', (folder) =>
      makePlate(folder, {
        ...ONE_PLANE,
        wells: ['A01', 'B02', 'C03', 'D04', 'E05', 'F06', 'G07', 'H08'],
        sites: 8,
        channels: ['DAPI', 'FITC'],
        zSteps: 4,
        width: 128,
        height: 128,
      }),
    );
  }

  /** One field of many planes of 2 MiB, all of them one LZW file in a single strip. */
  compressedField(planes: number): Promise<PlateTruth> {
    return this.#plate(`lzw${planes}`, async (folder) => {
      const truth = await makePlate(folder, { ...ONE_PLANE, zSteps: planes, width: 16, height: 16 });
      const content = join(this.folder, 'plane.lzw');
      writeFileSync(content, compressedPlane());
      const linked = new LinkedFiles(content);
      for (const { source } of truth.planes) {
        rmSync(join(truth.root, source));
        linked.add(join(truth.root, source));
      }
      return truth;
    });
  }

  /** Stores of one image of 2048² pixels of 16 bits, 512 MiB each where they are not compressed. */
  arrayStores(): ArrayStores {
    if (this.#arrayStores) return this.#arrayStores;
    const folder = this.newFolder('stores');
    console.error('making arrays');
    this.#arrayStores = makeArrayStores({ folder, planes: this.options.quick ? 12 : 64, side: 2048 });
    letRest(folder);
    return this.#arrayStores;
  }

  [Symbol.dispose](): void {
    this.mounts[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, force: true });
    rmSync(this.memoryFolder, { recursive: true, force: true });
  }
}

/** Side of the planes of {@link Bench.fields} and {@link Bench.compressedField}. */
export const FIELD_SIDE = 1024;

/** Cells on a background with noise in its lowest bits, as a camera writes it. */
function compressedPlane(): Buffer {
  const pixels = new Uint16Array(FIELD_SIDE * FIELD_SIDE);
  for (let pixel = 0; pixel < pixels.length; pixel++) {
    const [x, y] = [pixel % FIELD_SIDE, Math.floor(pixel / FIELD_SIDE)];
    const cell = ((x >> 6) + (y >> 6)) % 3 === 0 ? 900 : 0;
    pixels[pixel] = 200 + cell + ((Math.imul(pixel, 40_503) >>> 13) & 7);
  }
  return tiffFile({
    width: FIELD_SIDE,
    height: FIELD_SIDE,
    pixels,
    description: '',
    dateTime: '20240709 13:13:03.006',
    compression: 'lzw',
    rowsPerStrip: FIELD_SIDE,
    directoryFirst: true,
  });
}

const ONE_PLANE = { wells: ['A01'], sites: 1, channels: ['DAPI'], zSteps: 1, timePoints: 1 };

/** Sets back the folders' times: of a plate that was written this very moment no index is kept. */
export function letRest(root: string): void {
  const past = new Date(Date.now() - AN_HOUR_MS);
  for (const entry of readdirSync(root, { withFileTypes: true, recursive: true }))
    if (entry.isDirectory()) utimesSync(join(entry.parentPath, entry.name), past, past);
  utimesSync(root, past, past);
}
