/**
 * What fsck looks for. `damage`: something is lost or wrong. `garbage`: nothing refers to it, and `gc` removes it.
 * `note`: worth knowing, nothing to be done.
 */
export const FINDING_KINDS = {
  'journal-damaged': 'damage',
  'journal-torn': 'note',
  'file-lost': 'damage',
  'bytes-damaged': 'damage',
  'revision-damaged': 'damage',
  'synced-damaged': 'damage',
  'name-lost': 'damage',
  'landing-unreadable': 'damage',
  'store-damaged': 'damage',
  'session-damaged': 'note',
  'data-unnamed': 'garbage',
  'staging-left': 'garbage',
  'image-unnamed': 'garbage',
  'cache-damaged': 'garbage',
  'landing-unclaimed': 'note',
} as const;

export type FindingKind = keyof typeof FINDING_KINDS;

export interface Finding {
  readonly kind: FindingKind;
  /** Of a file on disk, or of the mount, as `detail` says. */
  readonly path: string;
  readonly detail: string;
  /** What was done about it. */
  readonly done?: string;
}

export const weightOf = ({ kind }: Finding): (typeof FINDING_KINDS)[FindingKind] => FINDING_KINDS[kind];
