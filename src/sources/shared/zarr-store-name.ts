/** Whether a path is an address of a server. */
export function isRemotePath(path: string): boolean {
  return /^(?:https?|s3):\/\//i.test(path);
}

/** Whether a path or address names a zip file; `.ozx` is OME's name for one (RFC 9). */
export function isZipPath(path: string): boolean {
  return /\.(?:zip|ozx)$/i.test(path.replace(/^(https?:[^?#]*)[?#].*$/i, '$1'));
}

/** Whether a path names what may be a Zarr store: `….zarr`, a zip file, or any `http://`, `https://` or `s3://` address. */
export function isStorePath(path: string): boolean {
  return isRemotePath(path) || isZipPath(path) || /\.zarr\/?$/i.test(path);
}

/** What a store is called: its name without what only says that it is one. */
export function storeName(path: string): string {
  const name =
    path
      .replace(/[?#].*$/, '')
      .replace(/\/+$/, '')
      .split('/')
      .at(-1) ?? '';
  return name
    .replace(/\.(?:zip|ozx)$/i, '')
    .replace(/\.zarr$/i, '')
    .replace(/\.ome$/i, '');
}
