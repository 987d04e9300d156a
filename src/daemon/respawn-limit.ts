/**
 * Counts deaths and says when to give up: after too many within a sliding window, and after as many in a row of
 * daemons that never served, which may take longer than the window where each has much to read first.
 */
export class RespawnLimit {
  private readonly deathsMax: number;
  private readonly windowMs: number;
  private deathTimesMs: number[] = [];
  private inVain = 0;

  constructor(deathsMax: number, windowMs: number) {
    this.deathsMax = deathsMax;
    this.windowMs = windowMs;
  }

  /** The present daemon is ready. */
  served(): void {
    this.inVain = 0;
  }

  /** Notes a death at `nowMs` (any monotonic clock). @returns false when it was one too many. */
  allows(nowMs: number): boolean {
    this.deathTimesMs = this.deathTimesMs.filter((timeMs) => nowMs - timeMs < this.windowMs);
    this.deathTimesMs.push(nowMs);
    this.inVain++;
    return this.deathTimesMs.length < this.deathsMax && this.inVain < this.deathsMax;
  }

  /** Deaths within the window that ended with the latest. */
  get deaths(): number {
    return this.deathTimesMs.length;
  }

  /** How often it died, for people. */
  get text(): string {
    if (this.inVain >= this.deathsMax) return `${this.inVain} times before it was ready`;
    return `${this.deaths} times within ${this.windowMs / 1000} s`;
  }
}
