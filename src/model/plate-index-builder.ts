import { BadParameterError } from '../core/errors.ts';
import type { ChunkGrid } from './chunk-grid.ts';
import { GrowingColumn, GrowingNames, uint8, uint16, uint32 } from './growing-column.ts';
import { KindTableBuilder } from './kind-table.ts';
import { missingFieldWarnings, missingPlaneWarnings } from './missing-planes.ts';
import { compareNatural } from './natural-order.ts';
import { type PlaneDetail, PlaneDetails } from './plane-details.ts';
import type { PlaneGroups } from './plane-groups.ts';
import { type PlaneAddress, planeStem } from './plane-name.ts';
import { addressOrder, compareAddresses } from './plane-order.ts';
import type { ExclusionReason, PlateFacts, PlateWarning } from './plate.ts';
import { EXCLUSIONS, PLATE_INDEX_LAYOUT_VERSION, type PlateIndex } from './plate-index.ts';
import { layOutColumns } from './plate-index-columns.ts';
import { type Renumbering, renumberDirectories, renumberFiles } from './plate-renumbering.ts';

/** Collisions told one by one; the rest are told as a number. Every one keeps its exclusion code. */
const MAX_COLLISION_WARNINGS = 100;
const COLLISION_RULE = 'the first in natural path order is shown, the others stay reachable as files';

const code = (reason: ExclusionReason): number => EXCLUSIONS.indexOf(reason);

/**
 * Gathers a plate's directories, files and planes in any order and lays them out as a {@link PlateIndex}.
 * Numbers that `addDirectory` and `addFile` return are valid until `finish`, which renumbers.
 */
export class PlateIndexBuilder {
  readonly #rootPath: string;
  readonly #begunAtMs = Date.now();
  readonly #directoryNames: string[] = [];
  readonly #parents: number[] = [];
  readonly #directoryMtimes: number[] = [];
  readonly #inodes: bigint[] = [];
  readonly #names = new GrowingNames();
  readonly #fileDirectories = new GrowingColumn(uint32);
  readonly #exclusions = new GrowingColumn(uint8);
  readonly #planeFiles = new GrowingColumn(uint32);
  readonly #rows = new GrowingColumn(uint8);
  readonly #columns = new GrowingColumn(uint8);
  readonly #sites = new GrowingColumn(uint32);
  readonly #channels = new GrowingColumn(uint16);
  readonly #zs = new GrowingColumn(uint32);
  readonly #ts = new GrowingColumn(uint32);
  readonly #planeExtensions = new GrowingColumn(uint8);
  readonly #extensions: string[] = [];
  readonly #details = new PlaneDetails();
  readonly #evidence = new Map<number, { sizeBytes: number; mtimeMs: number }>();
  readonly #warnings: PlateWarning[] = [];
  readonly #chunkFolders = new KindTableBuilder<ChunkGrid>();
  readonly #planeGroups = new KindTableBuilder<PlaneGroups>();

  /** `rootPath` is absolute; the root directory is number 0 and already there. */
  constructor(rootPath: string, stat: { mtimeMs: number; inode: bigint } = { mtimeMs: 0, inode: 0n }) {
    this.#rootPath = rootPath;
    this.#pushDirectory(0, '', stat);
  }

  get fileCount(): number {
    return this.#names.count;
  }

  get planeCount(): number {
    return this.#planeFiles.length;
  }

  #pushDirectory(parent: number, name: string, stat: { mtimeMs: number; inode: bigint }): number {
    this.#parents.push(parent);
    this.#directoryMtimes.push(stat.mtimeMs);
    this.#inodes.push(stat.inode);
    return this.#directoryNames.push(name) - 1;
  }

  /** Adds a directory below `parent`; returns its number. */
  addDirectory(parent: number, name: string, stat: { mtimeMs: number; inode: bigint }): number {
    return this.#pushDirectory(parent, name, stat);
  }

  /** Adds a file; `reason` says why it is no plane, unless planes of it are added. Returns its number. */
  addFile(directory: number, name: string, reason: ExclusionReason = 'other'): number {
    this.#fileDirectories.push(directory);
    this.#exclusions.push(code(reason));
    return this.#names.push(name);
  }

  /** Says that a directory holds the chunks of an array, which are not added one by one. */
  addChunkFolder(directory: number, grid: ChunkGrid): void {
    this.#chunkFolders.add(directory, grid);
  }

  /** Says which images of a file are decoded together. */
  addPlaneGroups(file: number, groups: PlaneGroups): void {
    this.#planeGroups.add(file, groups);
  }

  /**
   * Says that `file` holds the plane at this address; `row` and `column` count from 0, the rest as in names. A
   * plane with a page is cut out of the file and shown under `extension`, `.tif`.
   * @throws BadParameterError when a number can't be written in a name or a column.
   */
  addPlane(
    file: number,
    row: number,
    column: number,
    site: number,
    channel: number,
    z: number,
    t: number,
    extension: string,
    detail?: PlaneDetail,
  ): void {
    if (channel < 1 || channel > 0xffff)
      throw new BadParameterError('channel', `${channel} is not 1 … 65535`);
    if (site < 1 || site > 999_999_999) throw new BadParameterError('site', `${site} is not 1 … 999999999`);
    if (t < 1 || t > 999_999_999) throw new BadParameterError('t', `${t} is not 1 … 999999999`);
    if (z < 0 || z > 999_999_999) throw new BadParameterError('z', `${z} is not 0 … 999999999`);
    let known = this.#extensions.indexOf(extension);
    if (known < 0) known = this.#extensions.push(extension) - 1;
    if (known > 255) throw new BadParameterError('extension', 'more than 256 spellings in one plate');
    if (detail) this.#details.set(this.planeCount, detail);
    this.#planeFiles.push(file);
    this.#rows.push(row);
    this.#columns.push(column);
    this.#sites.push(site);
    this.#channels.push(channel);
    this.#zs.push(z);
    this.#ts.push(t);
    this.#planeExtensions.push(known);
  }

  /** Marks a file whose content facts were drawn from. */
  addEvidence(file: number, sizeBytes: number, mtimeMs: number): void {
    this.#evidence.set(file, { sizeBytes, mtimeMs });
  }

  addWarning(warning: PlateWarning): void {
    this.#warnings.push(warning);
  }

  /** Path of a file below the root, with `/`. */
  path(file: number): string {
    let path = this.#names.text(file);
    let directory = this.#fileDirectories.values[file] ?? 0;
    while (directory !== 0) {
      path = `${this.#directoryNames[directory]}/${path}`;
      directory = this.#parents[directory] ?? 0;
    }
    return path;
  }

  /** Lays everything out. Adds the warnings about collisions and missing planes. */
  finish(facts: PlateFacts): PlateIndex {
    const directories = renumberDirectories(this.#directoryNames, this.#parents);
    const files = renumberFiles(this.#names, this.#fileDirectories.values, directories);
    const { kept, lost, warnings } = this.#settleCollisions();
    const { columns } = layOutColumns({
      directories: this.#directoryNames.length,
      directoryNameBytes: this.#directoryNames.reduce((sum, name) => sum + Buffer.byteLength(name), 0),
      files: this.#names.count,
      fileNameBytes: this.#names.bytes.length,
      planes: kept.length,
      details: this.#details.needed(),
    });
    this.#writeDirectories(columns.directories, directories);
    this.#writeFiles(columns.files, columns.directories.firstFile, files, directories);
    this.#writePlanes(columns, kept, files);
    for (const file of lost) {
      const placed = files.placed[file] ?? 0;
      if (columns.files.planes[placed] === 0) columns.files.exclusions[placed] = code('collision');
    }
    const chunkFolders = this.#chunkFolders.finish(directories.placed);
    const planeGroups = this.#planeGroups.finish(files.placed);
    const index: PlateIndex = {
      layoutVersion: PLATE_INDEX_LAYOUT_VERSION,
      rootPath: this.#rootPath,
      linksFollowed: false,
      indexedAtMs: this.#begunAtMs,
      facts,
      warnings: [],
      ...columns,
      evidenceFiles: [...this.#evidence.keys()].map((file) => files.placed[file] ?? 0).sort((a, b) => a - b),
      extensions: [...this.#extensions],
      shapes: [...this.#details.shapes],
      ...(chunkFolders ? { chunkFolders } : {}),
      ...(planeGroups ? { planeGroups } : {}),
    };
    return {
      ...index,
      warnings: [
        ...this.#warnings,
        ...warnings,
        ...missingPlaneWarnings(index),
        ...missingFieldWarnings(index),
      ],
    };
  }

  #addressColumns() {
    return {
      rows: this.#rows.values,
      columns: this.#columns.values,
      sites: this.#sites.values,
      channels: this.#channels.values,
      zs: this.#zs.values,
      ts: this.#ts.values,
    };
  }

  #addressOf(plane: number): PlaneAddress {
    const { rows, columns, sites, channels, zs, ts } = this.#addressColumns();
    return {
      well: { row: rows[plane] ?? 0, column: columns[plane] ?? 0 },
      site: sites[plane] ?? 0,
      channel: channels[plane] ?? 0,
      z: zs[plane] ?? 0,
      t: ts[plane] ?? 0,
    };
  }

  /** Planes that stay, in address order, and the files that lost their address. */
  #settleCollisions(): { kept: Uint32Array; lost: number[]; warnings: PlateWarning[] } {
    const columns = this.#addressColumns();
    const order = addressOrder(columns, this.planeCount);
    const fileOf = (plane: number): number => this.#planeFiles.values[plane] ?? 0;
    const lost: number[] = [];
    const warnings: PlateWarning[] = [];
    let keptCount = 0;
    let untold = 0;
    for (let start = 0; start < order.length; ) {
      const first = order[start] ?? 0;
      let end = start + 1;
      while (end < order.length && compareAddresses(columns, first, order[end] ?? 0) === 0) end += 1;
      let winner = first;
      if (end > start + 1) {
        const rivals = [...order.subarray(start, end)].map((plane) => ({
          plane,
          path: this.path(fileOf(plane)),
        }));
        rivals.sort((a, b) => compareNatural(a.path, b.path));
        winner = rivals[0]?.plane ?? first;
        for (const rival of rivals.slice(1)) lost.push(fileOf(rival.plane));
        if (warnings.length < MAX_COLLISION_WARNINGS)
          warnings.push({
            kind: 'name-collision',
            message: `${rivals.length} files claim ${planeStem(this.#addressOf(first))}: ${rivals[0]?.path} is shown`,
            files: rivals.map((rival) => rival.path),
            rule: COLLISION_RULE,
          });
        else untold += 1;
      }
      order[keptCount] = winner;
      keptCount += 1;
      start = end;
    }
    if (untold > 0)
      warnings.push({
        kind: 'name-collision',
        message: `${untold} more names are claimed by several files; the files not shown are excluded as 'collision'`,
        files: [],
        rule: COLLISION_RULE,
      });
    return { kept: order.subarray(0, keptCount), lost, warnings };
  }

  #writeDirectories(target: PlateIndex['directories'], { order, placed }: Renumbering): void {
    let offset = 0;
    for (let i = 0; i < order.length; i += 1) {
      const old = order[i] ?? 0;
      const name = Buffer.from(this.#directoryNames[old] ?? '');
      target.names.bytes.set(name, offset);
      offset += name.length;
      target.names.starts[i + 1] = offset;
      target.parents[i] = placed[this.#parents[old] ?? 0] ?? 0;
      target.mtimeMs[i] = this.#directoryMtimes[old] ?? 0;
      target.inodes[i] = this.#inodes[old] ?? 0n;
    }
  }

  #writeFiles(
    target: PlateIndex['files'],
    firstFile: Uint32Array,
    { order, placed }: Renumbering,
    directories: Renumbering,
  ): void {
    const source = this.#names.bytes.values;
    let offset = 0;
    for (let i = 0; i < order.length; i += 1) {
      const old = order[i] ?? 0;
      const end = this.#names.start(old + 1);
      for (let at = this.#names.start(old); at < end; at += 1, offset += 1)
        target.names.bytes[offset] = source[at] ?? 0;
      target.names.starts[i + 1] = offset;
      const directory = directories.placed[this.#fileDirectories.values[old] ?? 0] ?? 0;
      target.directories[i] = directory;
      firstFile[directory + 1] = i + 1;
      target.exclusions[i] = this.#exclusions.values[old] ?? 0;
    }
    for (let i = 1; i < firstFile.length; i += 1)
      firstFile[i] = Math.max(firstFile[i] ?? 0, firstFile[i - 1] ?? 0);
    target.sizeBytes.fill(-1);
    for (const [file, { sizeBytes, mtimeMs }] of this.#evidence) {
      target.sizeBytes[placed[file] ?? 0] = sizeBytes;
      target.mtimeMs[placed[file] ?? 0] = mtimeMs;
    }
  }

  #writePlanes(target: Pick<PlateIndex, 'planes' | 'files'>, kept: Uint32Array, files: Renumbering): void {
    const { planes } = target;
    for (let i = 0; i < kept.length; i += 1) {
      const old = kept[i] ?? 0;
      const file = files.placed[this.#planeFiles.values[old] ?? 0] ?? 0;
      planes.files[i] = file;
      if (target.files.planes[file] === 0) target.files.planes[file] = i + 1;
      planes.rows[i] = this.#rows.values[old] ?? 0;
      planes.columns[i] = this.#columns.values[old] ?? 0;
      planes.sites[i] = this.#sites.values[old] ?? 0;
      planes.channels[i] = this.#channels.values[old] ?? 0;
      planes.zs[i] = this.#zs.values[old] ?? 0;
      planes.ts[i] = this.#ts.values[old] ?? 0;
      planes.extensions[i] = this.#planeExtensions.values[old] ?? 0;
      this.#details.write(planes, old, i);
    }
  }
}
