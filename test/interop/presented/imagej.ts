/** A kind of file that a set has: the first of it, and what `imagej_looks.py` saw in it. */
export interface Kind {
  readonly path: string;
  readonly dtype: string;
  readonly pages: number;
  readonly looks: {
    /** Largest value of whole numbers. */
    readonly most: number;
    readonly width: number;
    readonly height: number;
    /** Every so many-th pixel is looked at. */
    readonly step: number;
    /** Number of a plane, the weighted sum of its pixels, and that of their magnitudes; null where not finite. */
    readonly planes: readonly (readonly [plane: number, sum: number | null, scale: number | null])[];
  };
}

interface Looked extends Kind {
  /** For `look-at-files.ijm`. */
  readonly line: string;
}

/**
 * What ImageJ 1.53 opens of TIFFs: no samples of 64 bits, whole numbers or not (`stacks/` has no `.tif` of these, and
 * what opens the `.ome.tif` is Bio-Formats), and no half floats. As a virtual stack such a file ends in a dialog.
 */
const HELD = new Set(['uint8', 'uint16', 'int16', 'uint32', 'int32', 'float32']);
/** What it keeps as floats of 32 bits. */
const ROUNDED = new Set(['uint32', 'int32']);

/** It takes whole numbers of 32 bits for signed ones, as Pillow does. */
const MOST_WHOLE = 2 ** 31 - 1;

/** As a stack, and a TIFF as a virtual one: that forgets what shifts signed numbers, unless the file's text for ImageJ says it. */
const modesOf = ({ path, dtype }: Kind): readonly number[] =>
  path.endsWith('.png') || (dtype === 'int16' && path.endsWith('.ome.tif')) ? [0] : [0, 1];

/** Files for ImageJ, each as a stack, and TIFFs as a virtual stack too. */
export function lookedAt(kinds: readonly Kind[]): Looked[] {
  return kinds
    .filter(({ dtype, looks }) => HELD.has(dtype) && looks.most <= MOST_WHOLE)
    .flatMap((kind) => {
      const planes = kind.looks.planes.map(([plane]) => plane).join(',');
      const modes = modesOf(kind);
      return modes.map((mode) => ({
        ...kind,
        line: `${mode}\t${kind.looks.step}\t${planes}\t${kind.path}`,
      }));
    });
}

/** Where ImageJ saw something else than was to be seen. */
export function differences(files: readonly Looked[], output: string): string[] {
  const lines = output.split('\n').map((line) => line.trimEnd());
  const seen = new Map<string, string[]>();
  for (const line of lines) {
    const [word = '', file = '', ...rest] = line.split(' ');
    if (word === 'SIZE') seen.set(`SIZE ${file}`, rest);
    if (word === 'PLANE') seen.set(`PLANE ${file} ${rest[0]}`, rest.slice(1));
  }
  const wrong = lines.includes('DONE') ? [] : [`ImageJ stopped: ${lines.slice(-5).join(' | ')}`];
  for (const [number, { line, dtype, pages, looks }] of files.entries()) {
    const [width, height, slices] = (seen.get(`SIZE ${number}`) ?? []).map(Number);
    if (width !== looks.width || height !== looks.height || slices !== pages)
      wrong.push(`${line}: ${width} x ${height} x ${slices} for ${looks.width} x ${looks.height} x ${pages}`);
    for (const [plane, sum, scale] of looks.planes) {
      const found = Number(seen.get(`PLANE ${number} ${plane}`)?.[0]);
      const tolerance = (scale ?? 0) * (ROUNDED.has(dtype) ? 1e-6 : 1e-9);
      if (sum === null ? Number.isFinite(found) : !(Math.abs(found - sum) <= tolerance))
        wrong.push(`${line}: plane ${plane}: ${found} for ${sum}`);
    }
  }
  return wrong;
}
