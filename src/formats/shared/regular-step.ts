/** Steps whose spacing differs by more than this share of their mean are no regular axis. */
const SPACING_TOLERANCE = 0.2;

/** The mean step of values over positions, where the steps are regular; rounded to 0.1 nm or 0.1 ms. */
export function regularStep(points: readonly { at: number; value: number }[]): number | undefined {
  const sorted = [...points].sort((a, b) => a.at - b.at);
  const first = sorted[0];
  const last = sorted.at(-1);
  if (!first || !last || last.at === first.at) return undefined;
  const mean = (last.value - first.value) / (last.at - first.at);
  for (let i = 1; i < sorted.length; i += 1) {
    const a = sorted[i - 1];
    const b = sorted[i];
    if (!a || !b || b.at === a.at) continue;
    const step = (b.value - a.value) / (b.at - a.at);
    if (Math.abs(step - mean) > SPACING_TOLERANCE * Math.abs(mean)) return undefined;
  }
  const step = Math.round(Math.abs(mean) * 1e4) / 1e4;
  return step > 0 ? step : undefined;
}
