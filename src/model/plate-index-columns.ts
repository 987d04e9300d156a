import { PLATE_INDEX_LAYOUT_VERSION, type PlateIndex } from './plate-index.ts';

/** How much of everything an index holds: enough to lay out its columns. */
export interface PlateIndexCounts {
  readonly directories: number;
  readonly directoryNameBytes: number;
  readonly files: number;
  readonly fileNameBytes: number;
  readonly planes: number;
  /** Which of the columns that a plate may lack are there. */
  readonly details: readonly PlaneDetailColumn[];
}

/** Groups of columns that only some plates need. */
export const PLANE_DETAIL_COLUMNS = [
  'pages',
  'shapes',
  'fieldIds',
  'positions',
  'acquiredAt',
  'elapsed',
] as const;
export type PlaneDetailColumn = (typeof PLANE_DETAIL_COLUMNS)[number];

export type PlateIndexColumns = Pick<PlateIndex, 'directories' | 'files' | 'planes'>;

/**
 * Lays all columns of an index into one SharedArrayBuffer, zero-filled, widest elements first so that every
 * column is aligned. The same counts always give the same layout: a cache file holds the buffer as it is.
 */
export function layOutColumns(counts: PlateIndexCounts): {
  buffer: SharedArrayBuffer;
  columns: PlateIndexColumns;
} {
  const { directories, files, planes } = counts;
  const detailed = (column: PlaneDetailColumn): number => (counts.details.includes(column) ? planes : 0);
  const sizeBytes =
    8 * (2 * directories + 2 * files) +
    8 * (3 * detailed('positions') + detailed('acquiredAt') + detailed('elapsed')) +
    4 * (detailed('pages') + detailed('fieldIds')) +
    detailed('shapes') +
    4 * (directories + 1 + directories + directories + 1) +
    4 * (files + 1 + 2 * files) +
    4 * 4 * planes +
    2 * planes +
    (3 * planes + files + counts.directoryNameBytes + counts.fileNameBytes);
  const buffer = new SharedArrayBuffer(sizeBytes);
  let offset = 0;
  const take = (bytes: number): number => {
    const start = offset;
    offset += bytes;
    return start;
  };
  const float64 = (length: number): Float64Array => new Float64Array(buffer, take(8 * length), length);
  const uint32 = (length: number): Uint32Array => new Uint32Array(buffer, take(4 * length), length);
  const uint16 = (length: number): Uint16Array => new Uint16Array(buffer, take(2 * length), length);
  const uint8 = (length: number): Uint8Array => new Uint8Array(buffer, take(length), length);

  const inodes = new BigUint64Array(buffer, take(8 * directories), directories);
  const directoryMtimes = float64(directories);
  const sizes = float64(files);
  const mtimes = float64(files);
  const xsUm = float64(detailed('positions'));
  const ysUm = float64(detailed('positions'));
  const zsUm = float64(detailed('positions'));
  const acquiredAtMs = float64(detailed('acquiredAt'));
  const elapsedS = float64(detailed('elapsed'));
  const directoryStarts = uint32(directories + 1);
  const parents = uint32(directories);
  const firstFile = uint32(directories + 1);
  const fileStarts = uint32(files + 1);
  const fileDirectories = uint32(files);
  const filePlanes = uint32(files);
  const planeFiles = uint32(planes);
  const pages = uint32(detailed('pages'));
  const fieldIds = uint32(detailed('fieldIds'));
  const sites = uint32(planes);
  const zs = uint32(planes);
  const ts = uint32(planes);
  const channels = uint16(planes);
  const rows = uint8(planes);
  const columns = uint8(planes);
  const extensions = uint8(planes);
  const exclusions = uint8(files);
  const shapes = uint8(detailed('shapes'));
  return {
    buffer,
    columns: {
      directories: {
        count: directories,
        names: { bytes: uint8(counts.directoryNameBytes), starts: directoryStarts },
        parents,
        firstFile,
        mtimeMs: directoryMtimes,
        inodes,
      },
      files: {
        count: files,
        names: { bytes: uint8(counts.fileNameBytes), starts: fileStarts },
        directories: fileDirectories,
        planes: filePlanes,
        exclusions,
        sizeBytes: sizes,
        mtimeMs: mtimes,
      },
      planes: {
        count: planes,
        files: planeFiles,
        rows,
        columns,
        sites,
        channels,
        zs,
        ts,
        extensions,
        pages,
        shapes,
        fieldIds,
        xsUm,
        ysUm,
        zsUm,
        acquiredAtMs,
        elapsedS,
      },
    },
  };
}

/** The counts that lay out an index's columns again. */
export function countsOf(index: PlateIndex): PlateIndexCounts {
  const { pages, shapes, fieldIds, xsUm, acquiredAtMs, elapsedS } = index.planes;
  const lengths: Record<PlaneDetailColumn, number> = {
    pages: pages.length,
    shapes: shapes.length,
    fieldIds: fieldIds.length,
    positions: xsUm.length,
    acquiredAt: acquiredAtMs.length,
    elapsed: elapsedS.length,
  };
  return {
    directories: index.directories.count,
    directoryNameBytes: index.directories.names.bytes.byteLength,
    files: index.files.count,
    fileNameBytes: index.files.names.bytes.byteLength,
    planes: index.planes.count,
    details: PLANE_DETAIL_COLUMNS.filter((column) => lengths[column] > 0),
  };
}

/** The one buffer behind an index that {@link layOutColumns} laid out; undefined for any other. */
export function bufferOf(index: PlateIndex): SharedArrayBuffer | undefined {
  const { buffer } = index.directories.inodes;
  return index.layoutVersion === PLATE_INDEX_LAYOUT_VERSION && buffer instanceof SharedArrayBuffer
    ? buffer
    : undefined;
}
