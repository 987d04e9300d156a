/** A vendor's own file format that PlateFS shows under `source/` as it is and does not decode. */
export interface ContainerKind {
  /** What it is, for people: `Zeiss CZI`. */
  readonly title: string;
  /** Programs that open it, for people. */
  readonly openWith: string;
}

const BIO_FORMATS = 'Fiji (Bio-Formats)';

const CZI: ContainerKind = { title: 'Zeiss CZI', openWith: `ZEN or ${BIO_FORMATS}` };
const LEICA: ContainerKind = { title: 'Leica LAS X project', openWith: `LAS X or ${BIO_FORMATS}` };
const CELLOMICS: ContainerKind = {
  title: 'Cellomics image',
  openWith: `HCS Studio, which exports TIFF, or ${BIO_FORMATS}`,
};
const CELLSENS: ContainerKind = { title: 'Olympus cellSens VSI', openWith: `cellSens or ${BIO_FORMATS}` };
const FLUOVIEW: ContainerKind = { title: 'Olympus FluoView', openWith: `FluoView or ${BIO_FORMATS}` };
const SLIDEBOOK: ContainerKind = { title: '3i SlideBook', openWith: `SlideBook or ${BIO_FORMATS}` };
const DELTAVISION: ContainerKind = { title: 'DeltaVision', openWith: `softWoRx or ${BIO_FORMATS}` };

/**
 * By extension, lower case; extensions as the Bio-Formats table of supported formats lists them
 * (docs.openmicroscopy.org/bio-formats, "Supported Formats"), but for `.hs`, the archive of Harmony 5.1 and later.
 */
const KINDS: ReadonlyMap<string, ContainerKind> = new Map([
  ['.czi', CZI],
  ['.zvi', { title: 'Zeiss AxioVision ZVI', openWith: `AxioVision or ${BIO_FORMATS}` }],
  ['.nd2', { title: 'Nikon ND2', openWith: `NIS-Elements or ${BIO_FORMATS}` }],
  ['.lif', LEICA],
  ['.lof', LEICA],
  ['.xlif', LEICA],
  ['.xlef', LEICA],
  ['.c01', CELLOMICS],
  ['.dib', CELLOMICS],
  ['.vsi', CELLSENS],
  ['.ets', CELLSENS],
  ['.oib', FLUOVIEW],
  ['.oif', FLUOVIEW],
  ['.oir', FLUOVIEW],
  ['.stk', { title: 'MetaMorph stack', openWith: `MetaMorph or ${BIO_FORMATS}` }],
  ['.hs', { title: 'Harmony archive', openWith: 'Harmony, which exports TIFF with an Index' }],
  ['.flex', { title: 'Opera Flex', openWith: BIO_FORMATS }],
  ['.mvd2', { title: 'Volocity library', openWith: `Volocity or ${BIO_FORMATS}` }],
  ['.sld', SLIDEBOOK],
  ['.sldy', SLIDEBOOK],
  ['.dv', DELTAVISION],
  ['.r3d', DELTAVISION],
]);

/** What a file is by its name, where that is a proprietary container. */
export function containerKind(name: string): ContainerKind | undefined {
  const dot = name.lastIndexOf('.');
  // Longer than any extension of the table: nothing to look up.
  return dot <= 0 || name.length - dot > 5 ? undefined : KINDS.get(name.slice(dot).toLowerCase());
}
