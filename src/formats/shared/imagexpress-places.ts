import { parseAxisFolder } from './metaxpress-name.ts';
import type { WalkedDirectory } from './plate-walk.ts';

/** What a folder's place in the tree says of the images in it. */
export interface FolderPlace {
  /** Time point of a TimePoint folder above, or undefined. */
  readonly t?: number;
  /** Step of a ZStep folder above, or undefined. */
  readonly z?: number;
  /** ZStep folders with numbers from 1 lie beside the images: then these are projections. */
  readonly besideSteps: boolean;
  /** False below a folder that is neither TimePoint_N nor ZStep_M. */
  readonly known: boolean;
}

/** Gives each folder its place from its own name and its parent's place. Parents are entered first. */
export class FolderPlaces {
  readonly #places: FolderPlace[] = [];
  #timePoints = 0;
  #zSteps = 0;

  enter(number: number, directory: WalkedDirectory): FolderPlace {
    const besideSteps = directory.directories.some((name) => {
      const folder = parseAxisFolder(name);
      return folder?.axis === 'z' && folder.value > 0;
    });
    const place = { ...this.#place(number, directory), besideSteps };
    this.#places[number] = place;
    return place;
  }

  #place(number: number, { name, parent }: WalkedDirectory): FolderPlace {
    const above = this.#places[parent];
    if (number === 0 || !above) return { besideSteps: false, known: true };
    const folder = parseAxisFolder(name);
    if (!above.known || !folder) return { ...above, known: false };
    if (folder.axis === 't') {
      if (above.t !== undefined || folder.value < 1) return { ...above, known: false };
      this.#timePoints += 1;
      return { ...above, t: folder.value };
    }
    if (above.z !== undefined) return { ...above, known: false };
    this.#zSteps += 1;
    return { ...above, z: folder.value };
  }

  /** `TimePoint_N/ZStep_M folders`, or '' for a flat folder. */
  describe(): string {
    const parts = [this.#timePoints > 0 ? 'TimePoint_N' : '', this.#zSteps > 0 ? 'ZStep_M' : ''];
    const nested = parts.filter((part) => part !== '').join('/');
    return nested === '' ? '' : `${nested} folders`;
  }
}
