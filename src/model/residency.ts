/** Where a landed file's bytes are, as a landing says it. */
interface LandedPlace {
  readonly kind?: unknown;
  readonly path?: unknown;
  readonly exactness?: unknown;
  readonly verbatim?: unknown;
  /** Why the bytes are kept as a copy, and why the file is not where its name says. */
  readonly reason?: unknown;
  readonly note?: unknown;
  /** The number of the branch that has it, where that is another one. */
  readonly owner?: unknown;
}

/** What `user.platefs.residency` says of a file that is still open or sealed: where its bytes are kept. */
export function residencyInMemory(firstBytesInMemory: number): string {
  if (firstBytesInMemory === Number.POSITIVE_INFINITY) return 'memory';
  return firstBytesInMemory > 0 ? 'memory and disk' : 'disk';
}

/**
 * What `user.platefs.residency` says of a landed file: one word (`zarr`, `verbatim`, `plain`), where, and why. Paths are
 * below the output folder.
 */
export function residencyOfLanding({
  kind,
  path,
  exactness,
  verbatim,
  reason,
  note,
  owner,
}: LandedPlace): string {
  const lent = owner === undefined ? undefined : 'in the output folder of the branch that it comes from';
  const why = [reason, note, lent].filter((text) => typeof text === 'string').join('; ');
  const because = why === '' ? '' : ` (${why})`;
  if (kind === 'plain') return `plain: ${path}${because}`;
  if (exactness === 'verbatim') return `verbatim: a copy in ${verbatim}, its pixels in ${path}${because}`;
  return `zarr: put together from its pixels in ${path} and its other bytes${because}`;
}
