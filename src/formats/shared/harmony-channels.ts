import type { ChannelFacts, PlateFacts, PlateWarning } from '../../model/plate.ts';
import { micrometreShift, shiftedNumber } from './harmony-number.ts';

/** Elements that say something of a channel: in V4 and V5 of every Image, in V6 and V7 of the entries of a Map. */
export const CHANNEL_ELEMENTS = [
  'ChannelName',
  'ImageResolutionX',
  'ImageResolutionY',
  'MainEmissionWavelength',
  'MainExcitationWavelength',
  'FlatfieldProfile',
] as const;
export type ChannelElement = (typeof CHANNEL_ELEMENTS)[number];

interface Said {
  readonly text: string;
  readonly unit: string;
}

/** Channels beyond these are not described: no instrument has them, a damaged Index could. */
const MAX_CHANNELS = 4096;
const MAX_CONTRADICTIONS = 20;

/** Name in the text of a flat-field profile: `ChannelName: Alexa 488,` or `ChannelName: "405ex, 570em",`. */
function profileName(profile: string): string | undefined {
  const match = /\bChannelName:\s*(?:"([^"]*)"|([^,}"]+))/.exec(profile);
  const name = (match?.[1] ?? match?.[2] ?? '').trim();
  return name === '' ? undefined : name;
}

/** Gathers what an Index says of its channels. Said twice and differently, it is a contradiction and the first holds. */
export class HarmonyChannels {
  /** What is said of each channel, in the order of {@link CHANNEL_ELEMENTS}. */
  readonly #channels = new Map<number, (Said | undefined)[]>();
  readonly #contradictions = new Set<string>();
  readonly #unknownUnits = new Set<string>();

  say(channel: number, element: ChannelElement, text: string, unit: string): void {
    const said = this.#of(channel);
    if (said) this.#note(channel, said, CHANNEL_ELEMENTS.indexOf(element), text, unit);
  }

  /** What one Image says, in the order of {@link CHANNEL_ELEMENTS}; '' for what it doesn't. */
  sayAll(channel: number, texts: readonly string[], units: readonly string[]): void {
    const said = this.#of(channel);
    if (!said) return;
    for (let slot = 0; slot < CHANNEL_ELEMENTS.length; slot += 1)
      this.#note(channel, said, slot, texts[slot] ?? '', units[slot] ?? '');
  }

  #of(channel: number): (Said | undefined)[] | undefined {
    let said = this.#channels.get(channel);
    if (!said && this.#channels.size < MAX_CHANNELS) {
      said = Array<Said | undefined>(CHANNEL_ELEMENTS.length).fill(undefined);
      this.#channels.set(channel, said);
    }
    return said;
  }

  #note(channel: number, said: (Said | undefined)[], slot: number, text: string, unit: string): void {
    if (text === '') return;
    const before = said[slot];
    // Copied, lest it keep alive the whole chunk of text that it was cut from.
    if (!before) said[slot] = { text: Buffer.from(text).toString(), unit };
    else if (before.text !== text && this.#contradictions.size < MAX_CONTRADICTIONS) {
      const element = CHANNEL_ELEMENTS[slot];
      this.#contradictions.add(
        element === 'FlatfieldProfile'
          ? `channel ${channel} has two flat-field profiles`
          : `${element} of channel ${channel} is ${before.text} and ${text.slice(0, 80)}`,
      );
    }
  }

  #said(channel: number, element: ChannelElement): Said | undefined {
    return this.#channels.get(channel)?.[CHANNEL_ELEMENTS.indexOf(element)];
  }

  /** Facts of the channels that have planes, and of no other. */
  facts(numbers: Iterable<number>): ChannelFacts[] {
    return [...new Set(numbers)]
      .sort((a, b) => a - b)
      .map((number) => {
        const flatField = this.#said(number, 'FlatfieldProfile')?.text;
        const name = this.#said(number, 'ChannelName')?.text.trim() || profileName(flatField ?? '');
        const emissionNm = this.#nanometres(this.#said(number, 'MainEmissionWavelength'));
        const excitationNm = this.#nanometres(this.#said(number, 'MainExcitationWavelength'));
        return {
          number,
          ...(name === undefined ? {} : { name }),
          ...(emissionNm === undefined ? {} : { emissionNm }),
          ...(excitationNm === undefined ? {} : { excitationNm }),
          ...(flatField === undefined ? {} : { flatField }),
        };
      });
  }

  /** Pixel size where all channels that have planes agree. */
  pixelSize(
    numbers: Iterable<number>,
    index: string,
    warnings: PlateWarning[],
  ): Pick<PlateFacts, 'pixelSizeUm'> {
    const sizes = new Map<string, { x: number; y: number; channel: number }>();
    for (const channel of numbers) {
      const x = this.#micrometres(this.#said(channel, 'ImageResolutionX'));
      const y = this.#micrometres(this.#said(channel, 'ImageResolutionY'));
      if (x !== undefined && y !== undefined && !sizes.has(`${x} ${y}`))
        sizes.set(`${x} ${y}`, { x, y, channel });
    }
    const [first, second] = sizes.values();
    if (!first) return {};
    if (!second) return { pixelSizeUm: { x: first.x, y: first.y } };
    warnings.push({
      kind: 'contradiction',
      message: `pixel sizes differ: ${first.x} × ${first.y} µm in channel ${first.channel}, ${second.x} × ${second.y} µm in channel ${second.channel}`,
      files: [index],
      rule: 'the pixel size of the plate is left out',
    });
    return {};
  }

  /** Call last. */
  warnings(index: string): PlateWarning[] {
    const warnings: PlateWarning[] = [];
    if (this.#contradictions.size > 0)
      warnings.push({
        kind: 'contradiction',
        message: `${index} contradicts itself: ${[...this.#contradictions].join('; ')}`,
        files: [index],
        rule: 'what it says first is used',
      });
    for (const unit of this.#unknownUnits)
      warnings.push({
        kind: 'bad-metadata',
        message: `${index} gives values in '${unit}', which is no known unit`,
        files: [index],
        rule: 'they are left out',
      });
    return warnings;
  }

  #micrometres(said: Said | undefined): number | undefined {
    if (!said) return undefined;
    const shift = micrometreShift(said.unit);
    if (shift === undefined) {
      this.#unknownUnits.add(said.unit.slice(0, 40));
      return undefined;
    }
    const value = shiftedNumber(said.text, shift);
    return value > 0 ? value : undefined;
  }

  #nanometres(said: Said | undefined): number | undefined {
    const micrometres =
      said && this.#micrometres({ text: said.text, unit: said.unit === '' ? 'nm' : said.unit });
    return micrometres === undefined ? undefined : Number(`${micrometres}e3`);
  }
}
