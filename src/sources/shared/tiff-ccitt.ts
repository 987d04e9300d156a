import { CcittBits, CcittFault } from './ccitt-runs.ts';
import type { TiffPage } from './tiff-page.ts';

/** How rows are coded, by TIFF's compression: modified Huffman, T.4 ("group 3"), T.6 ("group 4"). */
const MODIFIED_HUFFMAN = 2;
const T6 = 4;

/** The columns where the colour of a row changes, the first from white to black. */
type Changes = number[];

/** A row that stands for itself (T.4, 4.1). @throws CcittFault */
function readPlainRow(bits: CcittBits, width: number): Changes {
  const changes: Changes = [];
  for (let at = 0, colour = 0; at < width; colour ^= 1) {
    at += bits.run(colour);
    if (at > width) throw new CcittFault('a row is too long');
    changes.push(at);
  }
  return changes;
}

/** Codes of a vertical mode: value of the next seven bits, their number, and the distance (T.4, table 4). */
const VERTICAL: readonly (readonly [code: number, length: number, distance: number])[] = [
  [0b1, 1, 0],
  [0b011, 3, 1],
  [0b010, 3, -1],
  [0b000011, 6, 2],
  [0b000010, 6, -2],
  [0b0000011, 7, 3],
  [0b0000010, 7, -3],
];

/** A row told by its differences from the row above (T.4, 4.2). @throws CcittFault */
function readTwoDimensionalRow(bits: CcittBits, width: number, above: Changes): Changes {
  const changes: Changes = [];
  let at = -1;
  let colour = 0;
  let next = 0;
  while (at < width) {
    // The first change of the row above to the right of here, and to the other colour.
    while (next > 0 && (above[next - 1] ?? width) > at) next -= 1;
    while (next < above.length && ((above[next] as number) <= at || (next & 1) !== colour)) next += 1;
    const below = above[next] ?? width;
    const code = bits.peek(7);
    const vertical = VERTICAL.find(([value, length]) => code >> (7 - length) === value);
    if (vertical) {
      bits.skip(vertical[1]);
      const to = below + vertical[2];
      if (to < Math.max(at, 0) || to > width) throw new CcittFault('a row leads outside the image');
      changes.push(to);
      at = to;
      colour ^= 1;
    } else if (code >> 4 === 0b001) {
      bits.skip(3);
      const first = Math.max(at, 0) + bits.run(colour);
      at = first + bits.run(colour ^ 1);
      if (at > width) throw new CcittFault('a row is too long');
      changes.push(first, at);
    } else if (code >> 3 === 0b0001) {
      bits.skip(4);
      at = above[next + 1] ?? width;
    } else throw new CcittFault('an unknown mode');
  }
  return changes;
}

/** Passes an end-of-line code and the zeros before it, if one is there. @returns whether it was. @throws CcittFault */
function passEndOfLine(bits: CcittBits): boolean {
  if (bits.peek(11) !== 0) return false;
  bits.skip(11);
  while (bits.peek(1) === 0) bits.skip(1);
  bits.skip(1);
  return true;
}

function paint(changes: Changes, row: Uint8Array): void {
  row.fill(0);
  for (let i = 0; i < changes.length; i += 2) {
    const end = changes[i + 1] ?? row.length * 8;
    for (let x = changes[i] as number; x < end; x++)
      row[x >> 3] = (row[x >> 3] as number) | (0x80 >> (x & 7));
  }
}

/**
 * A strip or tile of compression 2, 3 or 4 (TIFF 6.0 sections 10 and 11; ITU-T T.4 and T.6): one bit per pixel, black
 * is 1.
 * @param options T4Options or T6Options as the page has them.
 * @throws BadTiffError
 */
export function decodeCcittSegment(page: TiffPage, stored: Uint8Array, target: Uint8Array): void {
  const { compression, segmentWidth: width, segmentRowBytes: rowBytes } = page;
  const isTwoDimensional = compression === 3 && (page.faxOptions & 1) === 1;
  const bits = new CcittBits(stored);
  let above: Changes = [];
  try {
    for (let start = 0; start < target.length; start += rowBytes) {
      if (compression === MODIFIED_HUFFMAN) bits.alignToByte();
      let plain = compression !== T6;
      if (compression === 3) {
        passEndOfLine(bits);
        if (isTwoDimensional) {
          plain = bits.peek(1) === 1;
          bits.skip(1);
        }
      }
      above = plain ? readPlainRow(bits, width) : readTwoDimensionalRow(bits, width, above);
      const row = target.subarray(start, start + rowBytes);
      const last = above.at(-1);
      paint(last === undefined || above.length % 2 === 0 ? above : [...above, width], row);
    }
  } catch (error) {
    if (error instanceof CcittFault) throw page.bad(`CCITT data is damaged: ${error.message}`);
    throw error;
  }
}
