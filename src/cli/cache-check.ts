import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../changes/findings.ts';
import { cacheFolder } from '../config/xdg.ts';
import { explain } from '../core/errors.ts';
import { lockExclusively } from '../fuse/syscalls.ts';
import { renderFolder } from '../renders/render-folder.ts';
import { RenderStore } from '../renders/render-store.ts';
import { indexFolder, readIndexFile } from '../tree/index-cache.ts';

/** Indexes and finished renders that are kept for later mounts, and are not as they were written. */
export function checkCaches(): Finding[] {
  const findings: Finding[] = [];
  const folder = indexFolder(cacheFolder());
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const path = join(folder, name);
    try {
      if (name.endsWith('.index')) readIndexFile(path);
    } catch (error) {
      findings.push({
        kind: 'cache-damaged',
        path,
        detail: `an index that can be made again: ${explain(error)}`,
      });
    }
  }
  const renders = renderFolder(process.env, cacheFolder());
  if (!existsSync(renders)) return findings;
  const store = new RenderStore({ folder: renders, lock: lockExclusively });
  for (const { path, sizeBytes, mountPath } of store.list()) {
    const present = statSync(path, { throwIfNoEntry: false })?.size;
    if (present !== sizeBytes)
      findings.push({
        kind: 'cache-damaged',
        path,
        detail: `a render of ${mountPath} that can be made again: ${present ?? 0} of ${sizeBytes} bytes`,
      });
  }
  return findings;
}
