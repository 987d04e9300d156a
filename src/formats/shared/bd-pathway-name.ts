import { parseWellName, type WellPosition } from '../../model/well.ts';

/** `Well A01`, `Well A1` or `Well A001` (AttoVision). */
export function parseWellFolder(name: string): WellPosition | undefined {
  const text = /^well\s+(\S{1,6})$/i.exec(name)?.[1];
  return text === undefined ? undefined : parseWellName(text);
}

/**
 * Reads `<dye> - n000000.tif`; the dye's name is free text, `DsRed - Confocal` for one. The number counts the planes of
 * a well and dye from 0, z fastest. Source: Bio-Formats' BDReader, and folders of AttoVision.
 */
export function parseBdName(name: string): { readonly dye: string; readonly number: number } | undefined {
  const match = name.length > 255 ? null : /^(.+) - n(\d{1,9})\.tiff?$/is.exec(name);
  return match ? { dye: match[1] ?? '', number: Number(match[2]) } : undefined;
}
