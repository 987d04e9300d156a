import type { Revision } from '../changes/revision-store.ts';
import { formatByteSize } from '../core/byte-size.ts';
import { printable } from './change-text.ts';

/** A time as people of this place write it. */
export const localTime = (iso: string): string => {
  const at = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
};

/**
 * `3  2026-11-21 18:40  snapshot  12 files, 4 MiB  before thresholds`
 * @param branches those that began with it.
 */
export function revisionLine(
  { number, at, reason, files, sizeBytes, message, leftOut }: Revision,
  branches: readonly string[] = [],
): string {
  const size = `${files} files, ${formatByteSize(sizeBytes)}`;
  const left = leftOut.length === 0 ? [] : [`${leftOut.length} files were being written`];
  const origin = branches.length === 0 ? [] : [`branches: ${branches.map(printable).join(', ')}`];
  const said = [...(message === undefined ? [] : [printable(message)]), ...left, ...origin];
  return [String(number).padStart(4), localTime(at), reason.padEnd(8), size.padEnd(22), said.join('; ')]
    .join('  ')
    .trimEnd();
}

/** What programs get of a revision. */
export function revisionDocument(
  revision: Revision,
  branches: readonly string[] = [],
): Omit<Revision, 'landings' | 'digest'> & { readonly branches?: readonly string[] } {
  const { landings: _landings, digest: _digest, ...told } = revision;
  return { ...told, ...(branches.length === 0 ? {} : { branches }) };
}
