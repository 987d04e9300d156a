const NUMBERS = 4096;

/** The same numbers below a limit in every run: a linear congruential generator (Numerical Recipes' constants). */
export function chanceNumbers(limit: number): number[] {
  let state = 1;
  return Array.from({ length: NUMBERS }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % limit;
  });
}

const windows = chanceNumbers(2 ** 31);

/** Where the n-th window of {@link file://./file-client.ts} lies, to be taken by the numbers of planes, rows and columns. */
export function windowPlace(pass: number): {
  readonly plane: number;
  readonly y: number;
  readonly x: number;
} {
  const [plane = 0, y = 0, x = 0] = windows.slice(3 * pass, 3 * pass + 3);
  return { plane, y, x };
}
