import { ROOT_NODE } from '../../src/tree/tree.ts';
import type { Duel } from './duel.ts';

/** Everything that is shown: bytes of files as text, '/' for folders, what links link to. */
export function shown(duel: Duel, node = ROOT_NODE, path = ''): Map<string, string> {
  const { kernel } = duel;
  const all = new Map<string, string>();
  for (let cookie = 0, ended = false; !ended; ) {
    const page = kernel.list(node, cookie, 100);
    for (const name of page.names) {
      const child = kernel.lookup(node, name);
      const below = path === '' ? name : `${path}/${name}`;
      const inode = kernel.overlay.inode(child);
      if (inode?.target !== undefined) all.set(below, `→${inode.target}`);
      else if (kernel.overlay.names.isDirectory(child)) {
        all.set(below, '/');
        for (const entry of shown(duel, child, below)) all.set(...entry);
      } else {
        const handle = kernel.open(below.split('/'), 0);
        all.set(below, Buffer.from(kernel.read(handle, 0, 1 << 20)).toString('latin1'));
        kernel.close(handle);
      }
    }
    cookie = page.next;
    ended = page.ended;
  }
  return all;
}

/** Everything that is closed lands. */
export function landAll({ kernel }: Duel): void {
  for (const { inode } of [...kernel.overlay.sealed.files()]) {
    const landing = kernel.beginLanding(inode);
    if (landing) kernel.endLanding(landing);
  }
}
