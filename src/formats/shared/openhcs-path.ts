/** Folders that images of the flat layout may lie in now, where OpenHCS migrated it (its own order). */
const MIGRATED_FOLDERS: readonly string[] = ['images', 'data', 'raw'];

/** The names of a path as metadata writes it; undefined when it climbs or holds what no path holds. */
function namesOf(path: string): readonly string[] | undefined {
  if (path.includes('\0')) return undefined;
  const names = path
    .replaceAll('\\', '/')
    .split('/')
    .filter((name) => name !== '' && name !== '.');
  return names.length === 0 || names.includes('..') ? undefined : names;
}

const isAbsolute = (path: string): boolean => /^(?:[/\\]|[A-Za-z]:[/\\])/.test(path);

/**
 * The path below the plate's root that metadata names; undefined for one that leaves the plate: absolute and not
 * below `root`, or with `..` in it. Backslashes, which a plate written under Windows has, separate too.
 */
export function pathInPlate(path: string, root: string): string | undefined {
  const below = path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
  return isAbsolute(below) ? undefined : namesOf(below)?.join('/');
}

/** The folder that a subdirectory's key names, '' for the plate's own; undefined for one outside of it. */
export function folderOfKey(key: string, root: string): string | undefined {
  return key === '' || key === '.' || key === './' ? '' : pathInPlate(key, root);
}

/** The last part of a path as metadata writes it. */
export function lastName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/**
 * Where an absolute path of the flat layout may lie now, below a plate that has been moved or migrated since: behind
 * the plate folder's own name, else in the folder it named, with or without the `.zarr` that older releases gave it,
 * else in those that OpenHCS migrates to. Likeliest first; all of them below the plate.
 */
export function flatPathCandidates(path: string, root: string): readonly string[] {
  const names = namesOf(path);
  const name = names?.at(-1);
  if (!names || name === undefined) return [];
  const inPlate = pathInPlate(path, root);
  const plate = names.lastIndexOf(root.slice(root.lastIndexOf('/') + 1));
  const folder = names.at(-2);
  const folders = folder === undefined ? [] : [folder, folder.replace(/\.zarr$/i, '')];
  const candidates = [
    ...(inPlate === undefined ? [] : [inPlate]),
    ...(plate >= 0 && plate < names.length - 1 ? [names.slice(plate + 1).join('/')] : []),
    ...[...folders, ...MIGRATED_FOLDERS].map((one) => `${one}/${name}`),
    name,
  ];
  return [...new Set(candidates.flatMap((one) => [one, one.replace(/\.zarr\//i, '/')]))];
}
