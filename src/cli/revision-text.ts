import type { Revision } from '../changes/revision-store.ts';
import { formatByteSize } from '../core/byte-size.ts';
import { printable } from './change-text.ts';

const local = (iso: string): string => {
  const at = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
};

/** `3  2026-11-21 18:40  snapshot  12 files, 4 MiB  before thresholds` */
export function revisionLine({ number, at, reason, files, sizeBytes, message, leftOut }: Revision): string {
  const size = `${files} files, ${formatByteSize(sizeBytes)}`;
  const left = leftOut.length === 0 ? [] : [`${leftOut.length} files were being written`];
  const said = [...(message === undefined ? [] : [printable(message)]), ...left];
  return [String(number).padStart(4), local(at), reason.padEnd(8), size.padEnd(22), said.join('; ')]
    .join('  ')
    .trimEnd();
}

/** What programs get of a revision. */
export function revisionDocument(revision: Revision): Omit<Revision, 'landings' | 'digest'> {
  const { landings: _landings, digest: _digest, ...told } = revision;
  return told;
}
