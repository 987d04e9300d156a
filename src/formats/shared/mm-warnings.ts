import type { PlateIndexBuilder } from '../../model/plate-index-builder.ts';
import { WarningTally } from './warning-tally.ts';

/** What can go wrong with the files of an acquisition, kind by kind. */
export class MmWarnings {
  readonly absent = new WarningTally();
  readonly unsafe = new WarningTally();
  readonly badMetadata = new WarningTally();
  readonly damaged = new WarningTally();
  readonly unwritten = new WarningTally();
  readonly astray = new WarningTally();
  readonly colour = new WarningTally();
  readonly unlisted = new WarningTally();
  readonly axes = new WarningTally();
  readonly otherSets = new WarningTally();
  readonly renamed = new WarningTally();

  tell(builder: PlateIndexBuilder): void {
    const underSource = 'they are reachable under source/ only';
    const rows: readonly [WarningTally, kind: string, one: string, many: string, rule: string][] = [
      [
        this.absent,
        'absent-image',
        'image that the metadata lists is not on disk',
        'images that the metadata lists are not on disk',
        'they are not shown; copy the missing files into the plate',
      ],
      [
        this.unsafe,
        'unsafe-path',
        'entry names a file outside the plate',
        'entries name files outside the plate',
        'such an entry is passed over',
      ],
      [
        this.badMetadata,
        'bad-metadata',
        'piece of metadata is damaged',
        'pieces of metadata are damaged',
        'what they would tell is left out',
      ],
      [
        this.damaged,
        'bad-image',
        'TIFF is damaged',
        'TIFFs are damaged',
        'images before the damage are shown',
      ],
      [
        this.unwritten,
        'unfinished-image',
        'image is named but not written yet, or was cut off',
        'images are named but not written yet, or were cut off',
        'they are shown when they are whole',
      ],
      [
        this.astray,
        'contradiction',
        'entry of the index points where its file has no image',
        'entries of the index point where their files have no image',
        'such an entry is passed over',
      ],
      [
        this.colour,
        'colour-image',
        'image is in colour or compressed, so no plane can be cut out of it',
        'images are in colour or compressed, so no plane can be cut out of them',
        'they are shown whole, under source/ only',
      ],
      [
        this.unlisted,
        'unrecognised-name',
        'TIFF is no image of the acquisition',
        'TIFFs are no images of the acquisition',
        underSource,
      ],
      [
        this.axes,
        'unknown-axis',
        'axis has no place in the names of planes',
        'axes have no place in the names of planes',
        'each of its values is a field of its own',
      ],
      [
        this.otherSets,
        'several-acquisitions',
        'file is of another acquisition in the same folder',
        'files are of other acquisitions in the same folder',
        'the first is shown; keep each acquisition in a folder of its own',
      ],
      [
        this.renamed,
        'contradiction',
        'image has another z or time point in its name than in metadata.txt',
        'images have another z or time point in their names than in metadata.txt',
        'the name decides',
      ],
    ];
    for (const [tally, kind, one, many, rule] of rows)
      for (const warning of tally.tell(kind, one, many, rule)) builder.addWarning(warning);
  }
}
