/** Folders and files of the output folder that are ours. */
export const STORE_NAME = 'results.ome.zarr';
export const STATE_NAME = '.platefs';
export const STAGING_PATH = `${STATE_NAME}/staging`;
/** Who lands here. */
export const OWNERS_PATH = `${STATE_NAME}/mounts`;
export const LANDED_PATH = `${STATE_NAME}/landed`;
/** Results of the plate's branches, a folder each; laid out as the output folder itself. */
export const BRANCHES_FOLDER = 'branches';
export const VERBATIM_PATH = `${STATE_NAME}/verbatim`;

/**
 * Where the bytes of a landed file are. JSON-serialisable, kept in the caller's journal. Paths are relative to the
 * output folder, which may be moved.
 */
export type Landing = PlainLanding | ImageLanding;

interface LandingBase {
  /** Names the content as well as the file: changes when other bytes land in the same place. */
  readonly id: string;
  readonly inode: number;
  readonly mountPath: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** Why the file did not land where its name says, for people. */
  readonly note?: string;
  /** The branch in whose output folder it lies, by number, where that is another one: nothing there is changed. */
  readonly owner?: number;
}

export interface PlainLanding extends LandingBase {
  readonly kind: 'plain';
  readonly path: string;
}

export interface ImageLanding extends LandingBase {
  readonly kind: 'image';
  /** `plate`: a plane of a field; `label`: of labels below a field; `multiscales`: an image of its own. */
  readonly placement: 'plate' | 'label' | 'multiscales';
  /** Path of the image group: `results.ome.zarr/A/01/0`, `results.ome.zarr/A/01/0/labels/cells`. */
  readonly path: string;
  readonly sidecar: string;
  /** `reassembled` from sidecar and chunks, or `verbatim` in a copy of the file. */
  readonly exactness: 'reassembled' | 'verbatim';
  readonly verbatim?: string;
  /** Why it is kept as a copy, for people. */
  readonly reason?: string;
}

/** Names what landed: mount and file that it is of, size and checksum. */
export function landingId(
  {
    owner,
    inode,
    sizeBytes,
  }: { readonly owner?: string; readonly inode: number; readonly sizeBytes: number },
  crc32: number,
): string {
  const file = owner === undefined ? String(inode) : `${owner}-${inode}`;
  return `${file}-${sizeBytes}-${crc32.toString(16).padStart(8, '0')}`;
}
