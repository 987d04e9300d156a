/** A small fast generator (xorshift32): the same seed gives the same numbers on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 0x9e3779b9;
    for (let i = 0; i < 4; i += 1) this.bits();
  }

  /** 32 random bits as an unsigned number. */
  bits(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (this.bits() / 4_294_967_296) * (high - low);
  }
}

/** FNV-1a over the text forms of the parts: a seed of its own for each well, site, plane … */
export function seedOf(...parts: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const unit of parts.join('/')) hash = Math.imul(hash ^ (unit.codePointAt(0) ?? 0), 0x01000193);
  // Final mix of MurmurHash3, so that neighbouring parts give unlike seeds.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** An upper-case GUID that depends on the parts only. */
export function guidOf(...parts: readonly (string | number)[]): string {
  const random = new Random(seedOf('guid', ...parts));
  const hex = Array.from({ length: 4 }, () => random.bits().toString(16).padStart(8, '0'))
    .join('')
    .toUpperCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** 65,536 normal deviates (Box–Muller), drawn once. */
export const NORMAL: Float32Array = (() => {
  const table = new Float32Array(65_536);
  const random = new Random(20_240_917);
  for (let i = 0; i < table.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random.between(0, 1)));
    const angle = random.between(0, 2 * Math.PI);
    table[i] = radius * Math.cos(angle);
    table[i + 1] = radius * Math.sin(angle);
  }
  return table;
})();
