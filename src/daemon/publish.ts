import { FsRefusal } from '../core/errors.ts';
import type { HookOrigin } from '../model/file-origin.ts';
import { S_IFDIR, S_IFREG } from '../overlay/inode.ts';
import { MADE_BY, madeByBytes } from '../overlay/made-by.ts';
import type { Overlay } from '../overlay/overlay.ts';
import type { NewInode } from '../overlay/records.ts';
import { ROOT_NODE } from '../tree/tree.ts';
import type { ChangedName, HookSource, StagedOutput } from './front-messages.ts';

/**
 * Puts a hook's outputs into the namespace in one step, making the folders they need, and notes which `hook` made
 * them. Runs in the front thread.
 * @throws FsRefusal when a path leads through a file or into a read-only folder; nothing has changed then.
 */
export function publishOutputs(
  overlay: Overlay,
  source: HookSource,
  outputs: readonly StagedOutput[],
  owner: { readonly uid: number; readonly gid: number },
  hook?: HookOrigin,
): { accepted: boolean; changed: ChangedName[] } {
  const directories: (NewInode & { inode: number })[] = [];
  const files: { made: NewInode; stagedPath: string }[] = [];
  const made = new Map<string, number>();
  let next = overlay.names.nextInode;
  for (const { mountPath, stagedPath } of outputs) {
    const parts = mountPath.split('/');
    const name = parts.pop() ?? '';
    let parent = ROOT_NODE;
    for (const part of parts) {
      const known = made.get(`${parent}/${part}`) ?? overlay.names.lookup(parent, part);
      if (known !== undefined && !made.has(`${parent}/${part}`) && !overlay.names.isDirectory(known)) {
        throw new FsRefusal('not-a-directory', `${mountPath}: ${part} is a file`);
      }
      if (known === undefined) {
        overlay.checkWritable(parent);
        directories.push({ inode: next, parent, name: part, mode: S_IFDIR | 0o755, ...owner });
        made.set(`${parent}/${part}`, next);
        parent = next++;
      } else parent = known;
    }
    overlay.checkWritable(parent);
    const present = overlay.names.lookup(parent, name);
    if (present !== undefined && overlay.names.isDirectory(present)) {
      throw new FsRefusal('is-a-directory', `${mountPath} is a folder`);
    }
    files.push({ made: { parent, name, mode: S_IFREG | 0o644, ...owner }, stagedPath });
  }
  const accepted = overlay.publish(source, files, directories);
  if (accepted && hook)
    for (const { made: file } of files) {
      const number = overlay.names.lookup(file.parent, file.name);
      const inode = number === undefined ? undefined : overlay.inode(number);
      if (inode) overlay.setXattr(inode.number, MADE_BY, madeByBytes(inode.version, hook));
    }
  const changed = [...directories, ...files.map((file) => file.made)].map(({ parent, name }) => ({
    parent,
    name,
  }));
  return { accepted, changed: accepted ? changed : [] };
}
