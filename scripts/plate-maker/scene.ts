import { NORMAL, Random, seedOf } from './random.ts';

/** Camera offset and read noise in counts; gain in counts per photo-electron. */
const OFFSET = 102;
const READ_NOISE = 3.2;
const GAIN = 1.7;

interface Cell {
  readonly x: number;
  readonly y: number;
  /** Where it is sharpest, in steps. */
  readonly focus: number;
  readonly radius: number;
  readonly stretch: number;
  readonly angle: number;
  readonly brightness: number;
  readonly phase: number;
  readonly driftX: number;
  readonly driftY: number;
}

/** How a channel looks: nuclei, or the cytoplasm around them. */
interface Stain {
  readonly scale: number;
  readonly brightness: number;
  readonly background: number;
  readonly texture: number;
  readonly hollow: number;
}

const STAINS: readonly Stain[] = [
  { scale: 1, brightness: 2600, background: 90, texture: 0.28, hollow: 0 },
  { scale: 2.3, brightness: 900, background: 160, texture: 0.45, hollow: 0.55 },
  { scale: 1.7, brightness: 520, background: 210, texture: 0.7, hollow: 0.2 },
  { scale: 2.6, brightness: 380, background: 130, texture: 0.3, hollow: 0.7 },
];

/** One field of view: its cells, and how they look in each channel, z step and time point. */
export class Scene {
  readonly #width: number;
  readonly #height: number;
  readonly #cells: readonly Cell[];
  readonly #seed: number;
  readonly #zSteps: number;
  readonly #light: Float32Array;

  constructor(options: {
    seed: number;
    well: string;
    site: number;
    width: number;
    height: number;
    zSteps: number;
  }) {
    const { seed, well, site, width, height, zSteps } = options;
    this.#width = width;
    this.#height = height;
    this.#zSteps = zSteps;
    this.#seed = seedOf(seed, well, site);
    const perField = new Random(seedOf(seed, well)).between(22, 78);
    const area = (width * height) / (512 * 512);
    const random = new Random(this.#seed);
    const count = Math.max(3, Math.round(perField * area * random.between(0.85, 1.15)));
    this.#cells = placeCells(random, count, width, height, zSteps);
    this.#light = illumination(random, width, height);
  }

  /** Number of nuclei whose centre lies in the field at the first time point. */
  get cellCount(): number {
    return this.#cells.length;
  }

  /** The plane as a camera would give it; z and t count from 1. */
  plane(channel: number, z: number, t: number): Uint16Array {
    const signal = this.#signal(channel, z, t);
    const stain = STAINS[(channel - 1) % STAINS.length] ?? STAINS[0];
    const background = (stain?.background ?? 0) * 0.5 ** ((t - 1) / 40);
    const pixels = new Uint16Array(signal.length);
    let state = seedOf(this.#seed, channel, z, t) | 1;
    for (let i = 0; i < pixels.length; i += 1) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      const counts = ((signal[i] ?? 0) + background) * (this.#light[i] ?? 1);
      const shot = Math.sqrt(counts * GAIN) * (NORMAL[state & 0xffff] ?? 0);
      const value = OFFSET + counts + shot + READ_NOISE * (NORMAL[state >>> 16] ?? 0);
      pixels[i] = value < 0 ? 0 : value > 65_535 ? 65_535 : value + 0.5;
    }
    return pixels;
  }

  #signal(channel: number, z: number, t: number): Float32Array {
    const stain = STAINS[(channel - 1) % STAINS.length] ?? STAINS[0];
    const signal = new Float32Array(this.#width * this.#height);
    if (!stain) return signal;
    for (const cell of this.#cells) this.#draw(signal, cell, stain, channel, z, t);
    return signal;
  }

  #draw(signal: Float32Array, cell: Cell, stain: Stain, channel: number, z: number, t: number): void {
    const defocus = this.#zSteps > 1 ? Math.abs(z - cell.focus) : 0;
    const edge = 0.16 + 0.14 * defocus;
    const amplitude =
      (cell.brightness * stain.brightness * 0.985 ** (t - 1)) / (1 + 0.25 * defocus * defocus);
    const radius = cell.radius * stain.scale;
    const reach = radius * cell.stretch * (1 + edge) + 1;
    const centreX = cell.x + cell.driftX * (t - 1);
    const centreY = cell.y + cell.driftY * (t - 1);
    const cos = Math.cos(cell.angle) / (radius * cell.stretch);
    const sin = Math.sin(cell.angle) / (radius * cell.stretch);
    const narrow = cell.stretch * cell.stretch;
    const grain = (stain.texture * 0.4) / (1 + defocus);
    const wave = 0.3 + 0.08 * channel;
    const top = Math.max(0, Math.ceil(centreY - reach));
    const bottom = Math.min(this.#height - 1, Math.floor(centreY + reach));
    const left = Math.max(0, Math.ceil(centreX - reach));
    const right = Math.min(this.#width - 1, Math.floor(centreX + reach));
    for (let y = top; y <= bottom; y += 1) {
      const dy = y - centreY;
      for (let x = left; x <= right; x += 1) {
        const dx = x - centreX;
        const along = dx * cos + dy * sin;
        const across = (dy * cos - dx * sin) * narrow;
        const distance = Math.sqrt(along * along + across * across);
        const fade = (1 + edge - distance) / (2 * edge);
        if (fade <= 0) continue;
        const rim = fade >= 1 ? 1 : fade * fade * (3 - 2 * fade);
        const texture =
          1 +
          grain *
            (Math.sin(dx * wave + dy * 0.31 + cell.phase) +
              Math.sin(dy * wave * 0.83 - dx * 0.17 + cell.phase * 1.7) +
              Math.sin((dx + dy) * wave * 0.61 + cell.phase * 2.3));
        const hollow = 1 - stain.hollow * Math.exp(-distance * distance * 5);
        const at = y * this.#width + x;
        signal[at] = (signal[at] ?? 0) + amplitude * rim * texture * hollow;
      }
    }
  }
}

/** Cells that keep some distance from each other, as far as there is room. */
function placeCells(random: Random, count: number, width: number, height: number, zSteps: number): Cell[] {
  const cells: Cell[] = [];
  const fieldDriftX = random.between(-0.8, 0.8);
  const fieldDriftY = random.between(-0.8, 0.8);
  const middle = (zSteps + 1) / 2;
  const shrink = Math.min(1, Math.min(width, height) / 160);
  for (let tries = 0; cells.length < count && tries < count * 20; tries += 1) {
    const x = random.between(0, width);
    const y = random.between(0, height);
    const radius = random.between(9, 14.5) * shrink;
    const crowded = cells.some((cell) => Math.hypot(cell.x - x, cell.y - y) < (cell.radius + radius) * 1.25);
    if (crowded) continue;
    cells.push({
      x,
      y,
      radius,
      focus: middle + random.between(-0.8, 0.8),
      stretch: random.between(1, 1.3),
      angle: random.between(0, Math.PI),
      brightness: random.between(0.55, 1.35),
      phase: random.between(0, 6),
      driftX: fieldDriftX + random.between(-1.2, 1.2),
      driftY: fieldDriftY + random.between(-1.2, 1.2),
    });
  }
  return cells;
}

/** Uneven light: brightest somewhere near the middle, a third darker in the corners. */
function illumination(random: Random, width: number, height: number): Float32Array {
  const light = new Float32Array(width * height);
  const centreX = width * random.between(0.42, 0.58);
  const centreY = height * random.between(0.42, 0.58);
  const scale = 1 / (width * width + height * height);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const distance = (x - centreX) ** 2 + (y - centreY) ** 2;
      light[y * width + x] = 1.08 - 1.5 * distance * scale;
    }
  return light;
}
