/** Counts deaths within a sliding window and says when to give up. */
export class RespawnLimit {
  private readonly deathsMax: number;
  private readonly windowMs: number;
  private deathTimesMs: number[] = [];

  constructor(deathsMax: number, windowMs: number) {
    this.deathsMax = deathsMax;
    this.windowMs = windowMs;
  }

  /** Notes a death at `nowMs` (any monotonic clock). @returns false when it was one too many. */
  allows(nowMs: number): boolean {
    this.deathTimesMs = this.deathTimesMs.filter((timeMs) => nowMs - timeMs < this.windowMs);
    this.deathTimesMs.push(nowMs);
    return this.deathTimesMs.length < this.deathsMax;
  }

  /** Deaths within the window that ended with the latest. */
  get deaths(): number {
    return this.deathTimesMs.length;
  }
}
