import { containerKind } from '../../model/container-kind.ts';
import type { ExclusionReason } from '../../model/plate.ts';

/** Files that operating systems leave behind, in folders of theirs or beside the images. */
const JUNK_FILES = new Set(['thumbs.db', 'desktop.ini', 'ehthumbs.db']);
/** Folders of macOS archives, Synology's index, Windows' recycle bin and volume information. */
const JUNK_FOLDERS = new Set(['__macosx', '@eadir', '$recycle.bin', 'system volume information']);

/** A file or folder that an operating system left behind: never part of a plate, whatever else its name says. */
export function isJunkName(name: string): boolean {
  if (name.startsWith('.')) return true;
  const lower = name.toLowerCase();
  return JUNK_FILES.has(lower) || JUNK_FOLDERS.has(lower);
}

/** True in and below folders that operating systems left behind. */
export const isSilentFolder = (path: string): boolean => path !== '' && path.split('/').some(isJunkName);

const THUMBNAIL_STEM = /(?:^|[_\-. ])thumb(?:nail)?s?$/i;
const THUMBNAIL_FOLDER = /^thumb(?:nail)?s?$/i;
/** Access, SQL Server, Firebird and SQLite files that instruments keep their records in. */
const DATABASE = /\.(?:mdb|accdb|ldb|laccdb|mdf|sdf|fdb|sqlite3?|db3?)$/i;
/** Flat field of BD Pathway (`.ffc`, `.afc`), dark and shading images of Yokogawa (`DC_*`, `SC_*`). */
const CORRECTION = /\.(?:ffc|afc)$|^(?:dc|sc)_.*\.(?:tiff?|png)$/is;
const CORRECTION_STEM =
  /(?:^|[_\-. ])(?:flat[_\- ]?field|shading|dark[_\- ]?(?:field[_\- ]?)?(?:frame|current)|illum(?:ination)?[_\- ]?corr(?:ection)?)(?:$|[_\-. ])/i;

function stemOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot <= 0 ? name : name.slice(0, dot);
}

/**
 * Why a file that a format's own grammar takes neither for a plane nor for metadata is no plane. The one rule for
 * all formats; ask {@link isJunkName} first and the grammar second, as a plate may be called `SC_screen`.
 */
export function leftOut(name: string, folder: string): ExclusionReason {
  if (isJunkName(name) || isSilentFolder(folder)) return 'junk';
  if (containerKind(name)) return 'container';
  const stem = stemOf(name);
  if (THUMBNAIL_STEM.test(stem) || folder.split('/').some((step) => THUMBNAIL_FOLDER.test(step)))
    return 'thumbnail';
  if (CORRECTION.test(name) || CORRECTION_STEM.test(stem)) return 'correction';
  return DATABASE.test(name) ? 'database' : 'other';
}
