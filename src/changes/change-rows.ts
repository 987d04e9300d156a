import { explain } from '../core/errors.ts';
import type { Tree } from '../tree/tree.ts';
import type { Change } from './change-list.ts';
import { type PlanePlace, placeOfFacts, placeOfName } from './plane-place.ts';
import type { WrittenFile } from './written-state.ts';

/** A change with all that people and programs want to know of it. */
export interface ChangeRow {
  readonly kind: Change['kind'];
  readonly type: Change['type'];
  readonly path: string;
  readonly from?: string;
  /** Of a file as it is now. */
  readonly sizeBytes?: number;
  /** Of the source's file that was changed or deleted. */
  readonly sizeBeforeBytes?: number;
  /** Where on the plate it belongs, where plate or name tell. */
  readonly plane?: PlanePlace;
  /** What was renamed took the name of a file of the source, which is hidden. */
  readonly replaces?: true;
  /** Only rights, times or attributes were changed. */
  readonly attributesOnly?: true;
  /** A program has it open to write: this is not its last word. */
  readonly isWriting?: true;
  /** Why something is not known. */
  readonly problem?: string;
}

type AskedTree = Pick<Tree, 'attributes' | 'facts' | 'isMeasured'>;

/** Puts what tree and files say of a change beside it. */
export function rowOf(
  change: Change,
  tree: AskedTree,
  fileOf: (inode: number) => WrittenFile | undefined,
): ChangeRow {
  const { kind, type, path, from, inode, tree: node } = change;
  const file = inode === undefined ? undefined : fileOf(inode);
  const told = type === 'file' && node !== undefined ? toldBy(tree, node) : {};
  const plane = told.plane ?? (type === 'file' ? placeOfName(path) : undefined);
  const isLost = file?.content.kind === 'lost';
  const problem = isLost ? 'its bytes were in memory when the machine went down' : told.problem;
  // What was only renamed has the size it had.
  const isMoved = inode === undefined && kind === 'renamed';
  const sizeBytes = isMoved ? told.sizeBytes : file?.sizeBytes;
  return {
    kind,
    type,
    path,
    ...(from === undefined ? {} : { from }),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(isMoved || told.sizeBytes === undefined ? {} : { sizeBeforeBytes: told.sizeBytes }),
    ...(plane ? { plane } : {}),
    ...(change.covers === undefined ? {} : { replaces: true }),
    ...(change.isRewritten === false ? { attributesOnly: true } : {}),
    ...(file?.isWriting ? { isWriting: true } : {}),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** What the tree says of one of its files; the reason where its source can't be asked. */
function toldBy(tree: AskedTree, node: number): { sizeBytes?: number; plane?: PlanePlace; problem?: string } {
  try {
    if (!tree.isMeasured(node)) return {};
    const sizeBytes = tree.attributes(node)?.sizeBytes;
    const plane = placeOfFacts(tree.facts(node));
    return { ...(sizeBytes === undefined ? {} : { sizeBytes }), ...(plane ? { plane } : {}) };
  } catch (error) {
    return { problem: explain(error) };
  }
}
