import type { ChangeRow } from '../changes/change-rows.ts';
import { placeText } from '../changes/plane-place.ts';
import { formatByteSize } from '../core/byte-size.ts';

export interface ChangeCounts {
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
  readonly renamed: number;
}

export function countChanges(rows: readonly Pick<ChangeRow, 'kind'>[]): ChangeCounts {
  const of = (kind: ChangeRow['kind']): number => rows.filter((row) => row.kind === kind).length;
  return { added: of('added'), changed: of('changed'), deleted: of('deleted'), renamed: of('renamed') };
}

/** `2 added, 1 renamed`; '' where there is nothing. */
export function countsText(counts: ChangeCounts): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ');
}

const LETTERS = { added: 'A', changed: 'M', deleted: 'D', renamed: 'R' } as const;

function sizeText({ sizeBytes, sizeBeforeBytes, attributesOnly }: ChangeRow): string {
  const before = sizeBeforeBytes === undefined ? undefined : formatByteSize(sizeBeforeBytes);
  if (sizeBytes === undefined) return before === undefined ? '' : `was ${before}`;
  if (attributesOnly) return 'attributes only';
  const now = formatByteSize(sizeBytes);
  return before === undefined || before === now ? now : `${now}, was ${before}`;
}

/** A name as it can be printed: nothing in it moves the cursor or hides what follows. */
export const printable = (path: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  path.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => JSON.stringify(character).slice(1, -1));

/** One line per change: `M  images/A01….tif  2 MiB  A01 field 1 …`. */
export function changeLines(rows: readonly ChangeRow[]): string[] {
  const nameOf = ({ path, from, type }: ChangeRow): string => {
    const name = printable(path) + (type === 'folder' ? '/' : '');
    return from === undefined ? name : `${printable(from)} → ${name}`;
  };
  const width = Math.min(60, Math.max(0, ...rows.map((row) => nameOf(row).length)));
  const sizeWidth = Math.max(0, ...rows.map((row) => sizeText(row).length));
  return rows.map((row) => {
    const remarks = [
      ...(row.plane ? [placeText(row.plane)] : []),
      ...(row.replaces ? ['in place of what was there'] : []),
      ...(row.isWriting ? ['being written'] : []),
      ...(row.problem === undefined ? [] : [row.problem]),
    ];
    const cells = [nameOf(row).padEnd(width), sizeText(row).padEnd(sizeWidth), remarks.join('; ')];
    return `  ${LETTERS[row.kind]}  ${cells.join('  ')}`.trimEnd();
  });
}
