import { known } from '../../core/metadata-values.ts';
import type { ChannelFacts, PlateFacts } from '../../model/plate.ts';
import type { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import type { OmeImage } from '../../ome/ome-document.ts';
import type { PlacedImage } from './ome-places.ts';

/** Channels told of; no instrument has more, and hostile metadata may. */
const MAX_CHANNELS = 4096;

/** One value that all images which say it agree on. */
class Agreed<T> {
  #value: T | undefined;
  #key = '';
  isDisputed = false;

  note(value: T | undefined): void {
    if (value === undefined) return;
    const key = JSON.stringify(value);
    if (this.#value === undefined) {
      this.#value = value;
      this.#key = key;
    } else if (key !== this.#key) this.isDisputed = true;
  }

  get value(): T | undefined {
    return this.isDisputed ? undefined : this.#value;
  }
}

interface ChannelNotes {
  readonly name: Agreed<string>;
  readonly emissionNm: Agreed<number>;
  readonly excitationNm: Agreed<number>;
}

class ChannelGatherer {
  readonly #channels: ChannelNotes[] = [];

  note({ channels, sizeC }: OmeImage): void {
    for (let i = 0; i < Math.min(sizeC, MAX_CHANNELS); i += 1) {
      const notes = (this.#channels[i] ??= {
        name: new Agreed(),
        emissionNm: new Agreed(),
        excitationNm: new Agreed(),
      });
      notes.name.note(channels[i]?.name);
      notes.emissionNm.note(channels[i]?.emissionNm);
      notes.excitationNm.note(channels[i]?.excitationNm);
    }
  }

  get disputed(): string[] {
    return this.#channels.flatMap(({ name }, i) => (name.isDisputed ? [`the name of channel ${i + 1}`] : []));
  }

  facts(): ChannelFacts[] {
    return this.#channels.map((notes, i) => ({
      number: i + 1,
      ...known({
        name: notes.name.value,
        emissionNm: notes.emissionNm.value,
        excitationNm: notes.excitationNm.value,
      }),
    }));
  }
}

/** What all images agree on; what they dispute is left out, with a warning. */
export function omeFacts(
  images: readonly PlacedImage[],
  builder: PlateIndexBuilder,
): Pick<PlateFacts, 'channels' | 'pixelSizeUm' | 'zSpacingUm' | 'timeIntervalS'> {
  const pixelSizeUm = new Agreed<{ readonly x: number; readonly y: number }>();
  const zSpacingUm = new Agreed<number>();
  const timeIntervalS = new Agreed<number>();
  const channels = new ChannelGatherer();
  for (const { image } of images) {
    if (image.fault !== undefined) continue;
    pixelSizeUm.note(image.pixelSizeUm);
    if (image.sizeZ > 1) zSpacingUm.note(image.zSpacingUm);
    if (image.sizeT > 1) timeIntervalS.note(image.timeIntervalS);
    channels.note(image);
  }
  const disputed = [
    ...(pixelSizeUm.isDisputed ? ['the pixel size'] : []),
    ...(zSpacingUm.isDisputed ? ['the z spacing'] : []),
    ...(timeIntervalS.isDisputed ? ['the time interval'] : []),
    ...channels.disputed,
  ];
  if (disputed.length > 0)
    builder.addWarning({
      kind: 'contradiction',
      message: `images disagree about ${disputed.slice(0, 20).join(', ')}`,
      files: [],
      rule: 'what images disagree about is left out',
    });
  return {
    channels: channels.facts(),
    ...known({
      pixelSizeUm: pixelSizeUm.value,
      zSpacingUm: zSpacingUm.value,
      timeIntervalS: timeIntervalS.value,
    }),
  };
}
