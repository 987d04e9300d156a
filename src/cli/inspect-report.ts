import { containerKind } from '../model/container-kind.ts';
import { missingPlaneCount, ranges } from '../model/missing-planes.ts';
import type { PlaneNames } from '../model/plane-names.ts';
import type { ExclusionReason, PlateWarning } from '../model/plate.ts';
import { fields, plateAxes } from '../model/plate-axes.ts';
import { EXCLUSIONS, type PlateIndex } from '../model/plate-index.ts';
import { filePath, nameAt } from '../model/plate-lookup.ts';
import { rowLetters, wellName } from '../model/well.ts';

/** What `platefs inspect` tells of a plate; `--json` prints it as it is. */
export interface InspectReport {
  readonly plate: string;
  readonly root: string;
  readonly format: string;
  readonly formatDetail: string;
  readonly wells: readonly string[];
  /** Number of fields (well + site). */
  readonly fields: number;
  readonly sites: readonly number[];
  readonly channels: readonly {
    readonly number: number;
    readonly name?: string;
    readonly emissionNm?: number;
    readonly planes: number;
  }[];
  readonly zs: readonly number[];
  readonly projectionChannels: readonly number[];
  readonly ts: readonly number[];
  readonly planes: number;
  readonly missingPlanes: number;
  readonly firstName?: string;
  readonly files: number;
  readonly excluded: Readonly<Partial<Record<ExclusionReason, number>>>;
  /** Files of formats that are passed through under `source/`, not decoded. */
  readonly containers: readonly {
    readonly title: string;
    readonly openWith: string;
    readonly files: number;
    /** Path of one of them below the root. */
    readonly example: string;
  }[];
  readonly pixelSizeUm?: { readonly x: number; readonly y: number };
  readonly zSpacingUm?: number;
  readonly timeIntervalS?: number;
  readonly grid?: { readonly rows: number; readonly columns: number };
  readonly plateRows?: number;
  readonly plateColumns?: number;
  readonly declared?: Readonly<Record<string, string | number | boolean>>;
  readonly warnings: readonly PlateWarning[];
}

/** Proprietary containers among the files that are no planes, by kind. */
function containersOf(index: PlateIndex): InspectReport['containers'] {
  const found = new Map<string, { title: string; openWith: string; files: number; example: string }>();
  for (let file = 0; file < index.files.count; file += 1) {
    if (index.files.planes[file] !== 0) continue;
    const name = nameAt(index.files.names, file);
    // Leftovers of an operating system bear the names of the files they belong to.
    const kind = name.startsWith('.') ? undefined : containerKind(name);
    if (!kind) continue;
    const known = found.get(kind.title);
    if (known) known.files += 1;
    else found.set(kind.title, { ...kind, files: 1, example: filePath(index, file) });
  }
  return [...found.values()];
}

/** Everything worth telling of an index, as plain data. */
export function inspectReport(index: PlateIndex, names: PlaneNames): InspectReport {
  const { facts, planes } = index;
  const axes = plateAxes(index);
  const wells = new Set<string>();
  const sites = new Set<number>();
  let fieldCount = 0;
  for (const { row, column, site } of fields(index)) {
    wells.add(wellName({ row, column }));
    sites.add(site);
    fieldCount += 1;
  }
  const planesOfChannel = new Map<number, number>();
  for (const channel of planes.channels)
    planesOfChannel.set(channel, (planesOfChannel.get(channel) ?? 0) + 1);
  const excluded: Partial<Record<ExclusionReason, number>> = {};
  for (let i = 0; i < index.files.count; i += 1) {
    if (index.files.planes[i] !== 0) continue;
    const reason = EXCLUSIONS[index.files.exclusions[i] ?? 0] ?? 'other';
    excluded[reason] = (excluded[reason] ?? 0) + 1;
  }
  const { name, format, formatDetail, channels, ...measured } = facts;
  return {
    plate: name,
    root: index.rootPath,
    format,
    formatDetail,
    wells: [...wells],
    fields: fieldCount,
    sites: [...sites].sort((a, b) => a - b),
    channels: channels.map((channel) => ({
      ...channel,
      planes: planesOfChannel.get(channel.number) ?? 0,
    })),
    zs: axes.zs,
    projectionChannels: axes.projectionChannels,
    ts: axes.ts,
    planes: planes.count,
    missingPlanes: planes.count === 0 ? 0 : missingPlaneCount(index),
    ...(planes.count === 0 ? {} : { firstName: names.pathOf(0) }),
    files: index.files.count,
    excluded,
    containers: containersOf(index),
    ...measured,
    warnings: index.warnings,
  };
}

/** `A01–A12, B03`: wells of one row that stand side by side as a range; equal rows as a block `A01–H12`. */
export function wellRanges(wells: readonly { readonly row: number; readonly column: number }[]): string {
  const rows = new Map<number, number[]>();
  for (const { row, column } of wells) rows.set(row, [...(rows.get(row) ?? []), column]);
  const spans: { top: number; bottom: number; from: number; to: number }[] = [];
  for (const [row, columns] of [...rows].sort((a, b) => a[0] - b[0])) {
    const runs: { from: number; to: number }[] = [];
    for (const column of columns.sort((a, b) => a - b)) {
      const last = runs.at(-1);
      if (last && last.to === column - 1) last.to = column;
      else runs.push({ from: column, to: column });
    }
    for (const run of runs) {
      const above = spans.find(
        (span) => span.bottom === row - 1 && span.from === run.from && span.to === run.to,
      );
      if (above) above.bottom = row;
      else spans.push({ top: row, bottom: row, ...run });
    }
  }
  return spans
    .map(({ top, bottom, from, to }) => {
      const first = wellName({ row: top, column: from });
      const last = wellName({ row: bottom, column: to });
      return first === last ? first : `${first}–${last}`;
    })
    .join(', ');
}

const number = (value: number): string => value.toLocaleString('en-US');
const plural = (count: number, one: string, many = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : many}`;
/** Control characters and line breaks of instruments' own texts would disturb a terminal. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim();

/** Warnings printed; all of them are in the JSON. */
const MAX_WARNINGS = 12;
const LABEL_WIDTH = 11;

function wellsLine(index: PlateIndex, report: InspectReport): string {
  const positions = new Map<string, { row: number; column: number }>();
  for (const { row, column } of fields(index)) positions.set(`${row}/${column}`, { row, column });
  const { plateRows, plateColumns } = report;
  const of =
    plateRows === undefined || plateColumns === undefined
      ? ''
      : ` of ${plateRows * plateColumns} (A01–${rowLetters(plateRows - 1)}${String(plateColumns).padStart(2, '0')})`;
  return `${number(report.wells.length)}${of}: ${wellRanges([...positions.values()])}`;
}

function zLine(report: InspectReport): string {
  const { zs, projectionChannels, zSpacingUm } = report;
  const parts: string[] = [];
  if (zs.length > 0) parts.push(zs.length === 1 ? '1 plane' : `${zs.length} steps (${ranges(zs)})`);
  if (zSpacingUm !== undefined) parts.push(`${zSpacingUm} µm apart`);
  if (projectionChannels.length > 0)
    parts.push(`projections as z000 of ${projectionChannels.map((channel) => `w${channel}`).join(', ')}`);
  return parts.join(', ');
}

function tLine({ ts, timeIntervalS, declared }: InspectReport): string {
  const parts = [ts.length === 1 ? '1 time point' : `${ts.length} time points (${ranges(ts)})`];
  if (timeIntervalS !== undefined) parts.push(`${timeIntervalS} s apart`);
  const planned = declared?.['TimePoints'];
  if (typeof planned === 'number' && planned !== ts.length) parts.push(`${planned} planned`);
  return parts.join(', ');
}

/** The report for people, ending in a line break. */
export function inspectText(index: PlateIndex, names: PlaneNames): string {
  const report = inspectReport(index, names);
  const lines: string[] = [];
  const line = (label: string, value: string): void => {
    lines.push(`${label.padEnd(LABEL_WIDTH)}${value}`);
  };
  line('Plate', printable(report.plate));
  line('Format', report.formatDetail);
  line('Folder', report.root);
  line('Wells', wellsLine(index, report));
  const layout = report.grid ? `, ${report.grid.columns} across × ${report.grid.rows} down` : '';
  line('Fields', `${number(report.fields)}, sites ${ranges(report.sites)}${layout}`);
  for (const [i, channel] of report.channels.entries()) {
    const name = channel.name === undefined ? 'no name' : printable(channel.name);
    const emission = channel.emissionNm === undefined ? '' : `, ${channel.emissionNm} nm`;
    const planes = channel.planes === 0 ? 'no planes' : plural(channel.planes, 'plane');
    line(i === 0 ? 'Channels' : '', `w${channel.number}  ${name}${emission}, ${planes}`);
  }
  line('z', zLine(report));
  line('t', tLine(report));
  line(
    'Pixel',
    report.pixelSizeUm === undefined
      ? 'size unknown: no image says it'
      : report.pixelSizeUm.x === report.pixelSizeUm.y
        ? `${report.pixelSizeUm.x} µm`
        : `${report.pixelSizeUm.x} × ${report.pixelSizeUm.y} µm`,
  );
  const missing = report.missingPlanes === 0 ? ', none missing' : `, ${number(report.missingPlanes)} missing`;
  line('Planes', `${number(report.planes)}${missing}; the first is ${report.firstName ?? 'none'}`);
  const excluded = Object.entries(report.excluded).map(([reason, count]) => `${number(count)} ${reason}`);
  line('Left out', excluded.length === 0 ? 'no files' : excluded.join(', '));
  for (const [i, { title, openWith, files, example }] of report.containers.entries())
    line(
      i === 0 ? 'Containers' : '',
      `${plural(files, `${title} file`)}, ${printable(example)}: passed through under source/, not decoded; open with ${openWith}`,
    );
  if (report.warnings.length === 0) line('Warnings', 'none');
  else {
    lines.push('', plural(report.warnings.length, 'warning'));
    for (const { kind, message, rule } of report.warnings.slice(0, MAX_WARNINGS)) {
      lines.push(`  ${kind}: ${printable(message)}`);
      if (rule !== undefined) lines.push(`    → ${printable(rule)}`);
    }
    const more = report.warnings.length - MAX_WARNINGS;
    if (more > 0) lines.push(`  … and ${number(more)} more (--json shows all)`);
  }
  return `${lines.join('\n')}\n`;
}
