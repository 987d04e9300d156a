import { closeSync, openSync } from 'node:fs';
import { StateCorruptError } from '../core/errors.ts';
import { readFully } from '../core/io.ts';
import { copyPixels, origins, type PixelMap, pixelMap } from './pixel-runs.ts';
import { decodeSidecar, runsOf, SIDECAR_PREFIX_BYTES, type Sidecar, sidecarTextBytes } from './sidecar.ts';

/** A sidecar in memory. */
export interface LoadedSidecar {
  readonly path: string;
  readonly sidecar: Sidecar;
  readonly map: PixelMap;
  /** Where the gap bytes start in the sidecar file. */
  readonly gapsAt: number;
}

/** Reads all of `[offsetBytes, offsetBytes + target.length)`. @throws StateCorruptError when the file is shorter. */
export function readExactly(path: string, offsetBytes: number, target: Uint8Array): void {
  const descriptor = openSync(path, 'r');
  try {
    const count = readFully(descriptor, target, offsetBytes);
    if (count < target.length) throw new StateCorruptError(path, `ends at byte ${offsetBytes + count}`);
  } finally {
    closeSync(descriptor);
  }
}

/** @throws StateCorruptError, or the system's error when the file is missing. */
export function loadSidecar(path: string): LoadedSidecar {
  const prefix = Buffer.alloc(SIDECAR_PREFIX_BYTES);
  readExactly(path, 0, prefix);
  const text = Buffer.alloc(sidecarTextBytes(prefix, path));
  readExactly(path, prefix.length, text);
  const sidecar = decodeSidecar(text, path);
  return {
    path,
    sidecar,
    map: pixelMap(runsOf(sidecar), sidecar.itemSizeBytes),
    gapsAt: prefix.length + text.length,
  };
}

/** Fills `target` with the landed file's bytes from `offsetBytes` on. */
export function reassemble(
  loaded: LoadedSidecar,
  offsetBytes: number,
  target: Uint8Array,
  planeOf: (index: number) => Uint8Array,
): void {
  const { sidecar, map, gapsAt, path } = loaded;
  for (const origin of origins(map, offsetBytes, target.length)) {
    const at = origin.fileOffset - offsetBytes;
    const into = target.subarray(at, at + origin.sizeBytes);
    if (origin.kind === 'gap') readExactly(path, gapsAt + origin.gapOffset, into);
    else copyPixels(planeOf(origin.chunk), origin.chunkOffset, origin.skip, sidecar.swapBytes, into);
  }
}
