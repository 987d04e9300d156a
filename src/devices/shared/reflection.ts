/**
 * Index of the sample that stands at position `p` when a row of `n` samples reflects between pixels
 * (`d c b a | a b c d | d c b a`), for any `p`; scipy.ndimage's mode `reflect`.
 */
export function reflectedIndex(p: number, n: number): number {
  const period = 2 * n;
  const q = ((p % period) + period) % period;
  return q < n ? q : period - 1 - q;
}
