import { containerKind } from '../model/container-kind.ts';
import type { IndexedSource, SourceScope } from '../model/indexed-source.ts';
import type { PlateWarning } from '../model/plate.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { nameAt } from '../model/plate-lookup.ts';

/** What `platefs inspect` tells of files and stores that are no plates; `--json` prints it as it is. */
export interface SourceReport {
  readonly root: string;
  readonly kind: SourceScope['kind'];
  readonly sources: readonly SourceSummary[];
  readonly plates: readonly PlateSummary[];
  /** Names in a folder that are shown as they are, and why, where somebody might have expected otherwise. */
  readonly ordinary: readonly { readonly name: string; readonly why?: string }[];
  readonly warnings: readonly PlateWarning[];
}

/** A plate in a folder of several. */
export interface PlateSummary {
  readonly name: string;
  readonly format: string;
  readonly planes: number;
}

interface SourceSummary {
  /** Its folder in the mount; '' for one that is all that is mounted. */
  readonly name: string;
  readonly path: string;
  readonly title: string;
  readonly driver: string;
  readonly images: readonly {
    readonly path: string;
    readonly shape: readonly number[];
    readonly dtype: string;
  }[];
  readonly arrays: number;
  readonly tables: number;
  /** Files it is shown as, those of families among them. */
  readonly files: number;
}

function summaryOf({ name, path, driver, catalog, files, families }: IndexedSource): SourceSummary {
  const count = (...kinds: string[]): number =>
    catalog.items.filter(({ kind }) => kinds.includes(kind)).length;
  return {
    name,
    path,
    title: catalog.title,
    driver,
    images: catalog.items.flatMap((item) =>
      item.kind === 'image' ? [{ path: item.path, shape: item.image.shape, dtype: item.image.dtype }] : [],
    ),
    arrays: count('array'),
    tables: count('table', 'sparse', 'family'),
    files: families.reduce((sum, { members }) => sum + members.length, files.length),
  };
}

/** Why a file of a folder is shown as it is; undefined where nobody would ask. */
function whyOrdinary(name: string, warnings: readonly PlateWarning[]): string | undefined {
  const container = containerKind(name);
  if (container) return `${container.title}, which is not decoded; open it with ${container.openWith}`;
  return warnings.find(({ kind, files }) => kind === 'unreadable-source' && files[0] === name)?.message;
}

/** Everything worth telling of files and stores, as plain data. */
export function sourceReport(index: PlateIndex, plates: readonly PlateSummary[]): SourceReport {
  const { rootPath, scope, sources = [], files, directories, warnings } = index;
  const kind = scope?.kind ?? 'folder';
  const shown = new Set(sources.map(({ name }) => name));
  const names: string[] = [];
  if (kind === 'folder') {
    for (let i = 1; i < directories.count && directories.parents[i] === 0; i += 1)
      names.push(nameAt(directories.names, i));
    for (let i = directories.firstFile[0] ?? 0; i < (directories.firstFile[1] ?? 0); i += 1)
      names.push(nameAt(files.names, i));
  }
  const ordinary = names
    .filter((name) => !shown.has(name))
    .map((name) => {
      const why = whyOrdinary(name, warnings);
      return { name, ...(why === undefined ? {} : { why }) };
    });
  return { root: rootPath, kind, sources: sources.map(summaryOf), plates, ordinary, warnings };
}

/** Control characters of instruments' own texts would disturb a terminal. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim();
const plural = (count: number, one: string): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? one : `${one}s`}`;

const MAX_IMAGES = 8;
const MAX_NAMES = 20;
const MAX_WARNINGS = 12;

function sourceLines({ name, title, images, arrays, tables, files }: SourceSummary): string[] {
  const counts = [
    plural(images.length, 'image'),
    plural(arrays, 'array'),
    plural(tables, 'table'),
    `shown as ${plural(files, 'file')}`,
  ];
  const lines = [`${name === '' ? '' : `${printable(name)}/  `}${printable(title)}: ${counts.join(', ')}`];
  for (const { path, shape, dtype } of images.slice(0, MAX_IMAGES))
    lines.push(`  ${printable(path) || '(root)'}  ${shape.join(' × ')} (t c z y x), ${dtype}`);
  if (images.length > MAX_IMAGES) lines.push(`  … and ${images.length - MAX_IMAGES} more images`);
  return lines;
}

/** The report for people, ending in a line break. */
export function sourceReportText({ root, sources, plates, ordinary, warnings }: SourceReport): string {
  const lines = [root];
  for (const { name, format, planes } of plates)
    lines.push(`${printable(name)}/  plate, ${printable(format)}: ${plural(planes, 'plane')}`);
  for (const source of sources) lines.push(...sourceLines(source));
  for (const { name, why } of ordinary.slice(0, MAX_NAMES))
    lines.push(`${printable(name)}  as it is${why === undefined ? '' : `: ${printable(why)}`}`);
  if (ordinary.length > MAX_NAMES)
    lines.push(`… and ${ordinary.length - MAX_NAMES} more files and folders as they are`);
  if (warnings.length > 0) lines.push('', plural(warnings.length, 'warning'));
  for (const { kind, message } of warnings.slice(0, MAX_WARNINGS))
    lines.push(`  ${kind}: ${printable(message)}`);
  const more = warnings.length - MAX_WARNINGS;
  if (more > 0) lines.push(`  … and ${more} more (--json shows all)`);
  return `${lines.join('\n')}\n`;
}
