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
function whyOrdinary({ rootPath, warnings }: PlateIndex, name: string): string | undefined {
  const container = containerKind(name);
  if (container) return `${container.title}, which is not decoded; open it with ${container.openWith}`;
  const unreadable = warnings.find((one) => isOfFile(one, name))?.message;
  return unreadable
    ?.slice(unreadable.indexOf(AS_IT_IS) + AS_IT_IS.length)
    .replace(`${rootPath}/${name}: `, '');
}

/** How the warning of a file that is no source goes on after its name. */
const AS_IT_IS = ' is shown as it is: ';

const isOfFile = ({ kind, files }: PlateWarning, name: string): boolean =>
  kind === 'unreadable-source' && files[0] === name;

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
      const why = whyOrdinary(index, name);
      return { name, ...(why === undefined ? {} : { why }) };
    });
  return { root: rootPath, kind, sources: sources.map(summaryOf), plates, ordinary, warnings };
}

/** Control characters of instruments' own texts would disturb a terminal. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim();
const number = (count: number): string => count.toLocaleString('en-US');
const plural = (count: number, one: string, more = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : more}`;

const MAX_IMAGES = 8;
const MAX_NAMES = 20;
const MAX_WARNINGS = 12;
/** Longer names push what is said of them aside. */
const MAX_NAME_WIDTH = 40;

/** A name, and what is said of it. */
type Row = readonly [name: string, text: string];

/** Rows with their texts below each other. */
function aligned(rows: readonly Row[], indent: string): string[] {
  const width = Math.min(MAX_NAME_WIDTH, Math.max(0, ...rows.map(([name]) => name.length)));
  return rows.map(([name, text]) => `${indent}${name.padEnd(width)}  ${text}`.trimEnd());
}

/** A line that says how many more there are than are shown; none where all are. */
const moreLine = (count: number, limit: number, indent: string, what: string): string[] =>
  count <= limit ? [] : [`${indent}… and ${number(count - limit)} more ${what} (--json shows all)`];

/** `186 × 226 pixels, 27 z-steps, uint16` */
function imageText({ shape, dtype }: SourceSummary['images'][number]): string {
  const [t = 1, c = 1, z = 1, y = 1, x = 1] = shape;
  const axes = [
    `${x} × ${y} pixels`,
    c === 1 ? '' : plural(c, 'channel'),
    z === 1 ? '' : plural(z, 'z-step'),
    t === 1 ? '' : plural(t, 'time point'),
    dtype,
  ];
  return axes.filter((text) => text !== '').join(', ');
}

function summaryText({ title, images, arrays, tables, files }: SourceSummary): string {
  const [only] = images.length === 1 ? images : [];
  const counts = [
    only ? `1 image (${imageText(only)})` : images.length === 0 ? '' : plural(images.length, 'image'),
    arrays === 0 ? '' : plural(arrays, 'array'),
    tables === 0 ? '' : plural(tables, 'table'),
    `shown as ${plural(files, 'file')}`,
  ];
  return `${printable(title)}: ${counts.filter((text) => text !== '').join(', ')}`;
}

/** What there is of several images. One alone is told with its source. */
function imageLines({ images }: SourceSummary, indent: string): string[] {
  if (images.length < 2) return [];
  const rows = images
    .slice(0, MAX_IMAGES)
    .map((image): Row => [printable(image.path) || '(unnamed)', imageText(image)]);
  return [...aligned(rows, indent), ...moreLine(images.length, MAX_IMAGES, indent, 'images')];
}

/** The report for people, ending in a line break. */
export function sourceReportText(report: SourceReport): string {
  const { root, kind, sources, plates, ordinary, warnings } = report;
  const lines = [kind === 'file' ? (sources[0]?.path ?? root) : root];
  if (kind === 'folder') lines.push(...folderLines(report));
  else for (const source of sources) lines.push(`  ${summaryText(source)}`, ...imageLines(source, '    '));
  if (kind === 'folder' && sources.length + plates.length + ordinary.length === 0) lines.push('  nothing');
  // Why a file stays a file is told with it.
  const told = warnings.filter((one) => !ordinary.some(({ name }) => isOfFile(one, name)));
  if (told.length > 0) lines.push('', plural(told.length, 'warning'));
  for (const one of told.slice(0, MAX_WARNINGS)) lines.push(`  ${one.kind}: ${printable(one.message)}`);
  lines.push(...moreLine(told.length, MAX_WARNINGS, '  ', 'warnings'));
  return `${lines.join('\n')}\n`;
}

function folderLines({ sources, plates, ordinary }: SourceReport): string[] {
  const plateRows = plates.map(
    ({ name, format, planes }): Row => [
      `${printable(name)}/`,
      `plate, ${printable(format)}: ${plural(planes, 'plane')}`,
    ],
  );
  const sourceRows = sources.map((source): Row => [`${printable(source.name)}/`, summaryText(source)]);
  const ordinaryRows = ordinary.map(
    ({ name, why }): Row => [printable(name), `as it is${why === undefined ? '' : `: ${printable(why)}`}`],
  );
  // One width for what is shown of each.
  const groups = [plateRows, sourceRows, ordinaryRows].map((rows) => rows.slice(0, MAX_NAMES));
  const texts = aligned(groups.flat(), '  ');
  const [shownPlates = [], shownSources = []] = groups;
  const afterPlates = shownPlates.length;
  const afterSources = afterPlates + shownSources.length;
  const more = (all: readonly unknown[], what: string): string[] =>
    moreLine(all.length, MAX_NAMES, '  ', what);
  return [
    ...texts.slice(0, afterPlates),
    ...more(plates, 'plates'),
    ...texts
      .slice(afterPlates, afterSources)
      .flatMap((text, i) => [text, ...(sources[i] ? imageLines(sources[i], '      ') : [])]),
    ...more(sources, 'files and stores'),
    ...texts.slice(afterSources),
    ...more(ordinary, 'files and folders as they are'),
  ];
}
