import { PLATE_INDEX_LAYOUT_VERSION, type PlateIndex } from './plate-index.ts';

/** How much of everything an index holds: enough to lay out its columns. */
export interface PlateIndexCounts {
  readonly directories: number;
  readonly directoryNameBytes: number;
  readonly files: number;
  readonly fileNameBytes: number;
  readonly planes: number;
}

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
  const sizeBytes =
    8 * (2 * directories + 2 * files) +
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
  const directoryStarts = uint32(directories + 1);
  const parents = uint32(directories);
  const firstFile = uint32(directories + 1);
  const fileStarts = uint32(files + 1);
  const fileDirectories = uint32(files);
  const filePlanes = uint32(files);
  const planeFiles = uint32(planes);
  const sites = uint32(planes);
  const zs = uint32(planes);
  const ts = uint32(planes);
  const channels = uint16(planes);
  const rows = uint8(planes);
  const columns = uint8(planes);
  const extensions = uint8(planes);
  const exclusions = uint8(files);
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
      planes: { count: planes, files: planeFiles, rows, columns, sites, channels, zs, ts, extensions },
    },
  };
}

/** The counts that lay out an index's columns again. */
export function countsOf(index: PlateIndex): PlateIndexCounts {
  return {
    directories: index.directories.count,
    directoryNameBytes: index.directories.names.bytes.byteLength,
    files: index.files.count,
    fileNameBytes: index.files.names.bytes.byteLength,
    planes: index.planes.count,
  };
}

/** The one buffer behind an index that {@link layOutColumns} laid out; undefined for any other. */
export function bufferOf(index: PlateIndex): SharedArrayBuffer | undefined {
  const { buffer } = index.directories.inodes;
  return index.layoutVersion === PLATE_INDEX_LAYOUT_VERSION && buffer instanceof SharedArrayBuffer
    ? buffer
    : undefined;
}
