/** Path below the plate's root of what lies in a folder there; the root's own path, and a folder itself, are ''. */
export const joinPath = (folder: string, name: string): string =>
  folder === '' ? name : name === '' ? folder : `${folder}/${name}`;
