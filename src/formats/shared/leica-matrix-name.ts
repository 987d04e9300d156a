/** What the path of a Matrix Screener image says; every number as written, from 0. */
export interface LeicaMatrixImage {
  readonly slide: number;
  /** Column and row of the well. */
  readonly u: number;
  readonly v: number;
  /** Column and row of the field in its well. */
  readonly x: number;
  readonly y: number;
  readonly loop: number;
  readonly job: number;
  readonly e: number;
  readonly o: number;
  readonly t: number;
  readonly z: number;
  readonly channel: number;
  /** Letters for which folders say another number than the file's name. */
  readonly disagreeing: readonly string[];
}

const IMAGE = /^image(?:--[A-Z]\d{1,6})+\.(?:ome\.)?tiff?$/;
const FOLDER = /^[A-Za-z]+(?:--[A-Z]\d{1,6})+$/;

/** `--U00--V01` → U 0, V 1; the first of equal letters counts. */
function tokensOf(text: string): Map<string, number> {
  const tokens = new Map<string, number>();
  for (let at = text.indexOf('--'); at >= 0; at = text.indexOf('--', at + 2)) {
    const letter = text.charAt(at + 2);
    const end = text.indexOf('--', at + 2);
    if (!tokens.has(letter))
      tokens.set(letter, Number.parseInt(text.slice(at + 3, end < 0 ? undefined : end), 10));
  }
  return tokens;
}

/** Tokens of a path's folders, the nearest first; the path of the last one asked for, as images come by folder. */
let lastFolder = { path: '', steps: [] as readonly ReadonlyMap<string, number>[] };

function folderTokens(path: string): readonly ReadonlyMap<string, number>[] {
  if (lastFolder.path !== path) {
    const steps = path.split('/').filter((step) => step.length <= 255 && FOLDER.test(step));
    lastFolder = { path, steps: steps.reverse().map(tokensOf) };
  }
  return lastFolder.steps;
}

const AGREEING: readonly string[] = [];

/** Letters that a folder of this name says, `slide--S00`, `chamber--U00--V00`, `field--X00--Y00`; '' for another. */
export const folderLetters = (name: string): string =>
  FOLDER.test(name) && name.length <= 255 ? [...tokensOf(name).keys()].join('') : '';

export const isLeicaMatrixName = (name: string): boolean => name.length <= 255 && IMAGE.test(name);

/**
 * Reads `image--L0000--S00--U00--V00--J08--E00--O00--X00--Y00--T0000--Z00--C00.ome.tif` in the folders
 * `slide--S00/chamber--U00--V00/field--X00--Y00`. What the file's name lacks (older versions write no E, O and Z), the
 * folders say, else it is 0. U is the well's column, V its row, X and Y likewise of the field. Source: public readers
 * and scripts for LAS AF Matrix Screener (leicaexperiment, leicaimage; slide S, well U V, field X Y, z Z, channel C).
 */
export function parseLeicaMatrix(path: string): LeicaMatrixImage | undefined {
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  if (!isLeicaMatrixName(name)) return undefined;
  const told = tokensOf(name);
  let disagreeing = AGREEING;
  for (const step of folderTokens(path.slice(0, Math.max(0, slash))))
    for (const [letter, value] of step)
      if (!told.has(letter)) told.set(letter, value);
      else if (told.get(letter) !== value) disagreeing = [...disagreeing, letter];
  if (!told.has('U') || !told.has('V')) return undefined;
  const of = (letter: string): number => told.get(letter) ?? 0;
  return {
    slide: of('S'),
    u: of('U'),
    v: of('V'),
    x: of('X'),
    y: of('Y'),
    loop: of('L'),
    job: of('J'),
    e: of('E'),
    o: of('O'),
    t: of('T'),
    z: of('Z'),
    channel: of('C'),
    disagreeing,
  };
}
