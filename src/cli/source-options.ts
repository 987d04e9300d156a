import { NAME_STYLES } from '../model/plane-naming.ts';

/** What options say in the help of every command that has them. */
export const NAMES_HELP = `how planes are named: ${Object.keys(NAME_STYLES).join(', ')}, or a template like {well}/{field:03}_w{channel}{ext}`;
export const LAYOUT_HELP =
  "what the names of the plate's files say, for a plate of unknown origin: a template like {well}/field {site} {channel}.tif";
export const AS_HELP =
  'what it is shown as: a plate, or sources: each of its files and stores by what it holds';
export const SOURCE_HELP = 'plate folder, file, store, URL, folder of several, or a mount definition (.yaml)';
