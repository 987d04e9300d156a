/** Programs that a mount can be made for. */
export const PROFILES = ['fiji', 'cellprofiler', 'napari', 'legacy'] as const;
export type Profile = (typeof PROFILES)[number];

/** What a mount shows otherwise for a program. */
export interface ProfileRules {
  /** Flavours of stacks, by their encoders. */
  readonly stacks: readonly ('tiff' | 'baseline-tiff' | 'ome-tiff')[];
  /** A stack over 4 GiB: as parts below it, or whole, in the one layout that ImageJ 1.x opens. */
  readonly large: 'parts' | 'one-directory';
  /** Whether there are previews: a program that takes every image of a folder would take them, too. */
  readonly previews: boolean;
  /** How planes are named, unless the mount says it. */
  readonly names?: string;
}

const USUAL: ProfileRules = { stacks: ['tiff', 'ome-tiff'], large: 'parts', previews: true };

/** Each with its evidence in `encoders/README.md`. */
const RULES: Readonly<Record<Profile, ProfileRules>> = {
  fiji: { ...USUAL, large: 'one-directory' },
  cellprofiler: { ...USUAL, stacks: [], previews: false },
  napari: { ...USUAL, stacks: ['ome-tiff'] },
  legacy: {
    ...USUAL,
    previews: false,
    stacks: ['baseline-tiff'],
    names: '{well}_s{site:03}_w{channel}_z{z:03}_t{t:03}.tif',
  },
};

/** The encoder of planes that are cut out of a container. */
export const planeEncoder = (profile: Profile | undefined): 'tiff' | 'baseline-tiff' =>
  profile === 'legacy' ? 'baseline-tiff' : 'tiff';

/** What a profile asks for, or the usual. */
export const profileRules = (profile: Profile | undefined): ProfileRules =>
  profile === undefined ? USUAL : RULES[profile];
