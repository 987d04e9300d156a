import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CancelledError, explain, FsRefusal } from '../core/errors.ts';
import { STATE_NAME, STORE_NAME } from '../materializer/landing.ts';
import { Materializer } from '../materializer/materializer.ts';
import type { SealedFile } from '../materializer/sealed-file.ts';
import type { LandingFormat } from '../model/landing-format.ts';
import type { CommitOptions, CommitResult, CommitView } from './commit-files.ts';
import type { CommitItem } from './commit-plan.ts';
import { CommitTarget, type MarkCalls } from './commit-target.ts';

const BATCH_FILES = 64;
/** Who commits into the store: two mounts number their files alike. */
const OWNER_FILE = 'committed-by.json';

/**
 * Writes changes into a folder as results land: images into `results.ome.zarr`, everything else beside it.
 * @param owner names the mount, so that no other one's commits are replaced.
 * @param options `format` is that of a new store, as the mount's own results have it.
 * @throws FsRefusal `entry-exists` where the folder holds a store that something else wrote; NoSpaceError;
 *   CancelledError.
 */
export async function commitStore(
  folder: string,
  owner: string,
  calls: MarkCalls,
  { view: viewNow, replace, signal, onProgress, format }: CommitOptions & { readonly format: LandingFormat },
): Promise<CommitResult> {
  const view = await viewNow();
  claimStore(folder, owner, replace);
  const staging = join(folder, STATE_NAME, 'committing');
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging);
  const workers = 2;
  const materializer = await Materializer.open({ outputDir: folder, workers, format }, signal);
  const kept = new Map<string, string>(view.kept.map(({ path, reason }) => [path, reason]));
  const files = view.items.filter((item) => item.kind === 'written' || item.kind === 'source');
  const totalBytes = files.reduce((sum, item) => sum + sizeOf(view, item), 0);
  let written = 0;
  let sizeBytes = 0;
  try {
    const target = new CommitTarget(staging, calls);
    for (let at = 0; at < files.length; at += BATCH_FILES) {
      const batch = files.slice(at, at + BATCH_FILES);
      const sealed: SealedFile[] = [];
      for (const [i, item] of batch.entries()) {
        try {
          sealed.push(await stageItem(view, item, target, at + i, signal));
        } catch (error) {
          if (error instanceof CancelledError) throw error;
          kept.set(item.path, explain(error));
        }
      }
      const results = await materializer.land(sealed, signal);
      for (const result of results) {
        const file = sealed.find(({ inode }) => inode === result.inode);
        if (!file) continue;
        if ('error' in result) kept.set(file.mountPath, explain(result.error));
        else {
          written++;
          sizeBytes += file.sizeBytes;
        }
        rmSync(join(staging, String(file.inode)), { force: true });
      }
      if (signal.aborted) throw new CancelledError('stopped before everything was written');
      const doneBytes = sizeBytes;
      onProgress({ filesDone: written, filesTotal: files.length, doneBytes, totalBytes });
    }
  } finally {
    await materializer.close();
    rmSync(staging, { recursive: true, force: true });
  }
  return {
    written,
    sizeBytes,
    present: 0,
    kept: [...kept].map(([path, reason]) => ({ path, reason })),
    gone: view.gone,
    unkept: {},
  };
}

const sizeOf = (view: CommitView, item: CommitItem): number =>
  item.kind === 'written' ? (view.fileOf(item.inode.number)?.sizeBytes ?? 0) : 0;

/** Copies a file beside the store, from where it is landed: what it was may change meanwhile. */
async function stageItem(
  view: CommitView,
  item: Extract<CommitItem, { readonly kind: 'written' | 'source' }>,
  target: CommitTarget,
  number: number,
  signal: AbortSignal,
): Promise<SealedFile> {
  const file = item.kind === 'written' ? view.fileOf(item.inode.number) : undefined;
  if (file?.isWriting) throw new FsRefusal('stale', 'a program has it open to write');
  using bytes = view.bytesOf(item);
  const inode = item.kind === 'written' ? item.inode.number : -1 - number;
  await target.writeFile(String(inode), bytes, { mode: 0o600 }, { replace: true, signal });
  const mtimeMs = file ? Number(BigInt(file.mtimeNs) / 1_000_000n) : 0;
  const { sizeBytes } = bytes;
  const path = join(target.folder, String(inode));
  return { inode, mountPath: item.path, sizeBytes, mtimeMs, pieces: [{ path, offsetBytes: 0, sizeBytes }] };
}

function claimStore(folder: string, owner: string, replace: boolean): void {
  const path = join(folder, STATE_NAME, OWNER_FILE);
  const known = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { owner?: string }) : undefined;
  if (known?.owner !== owner && existsSync(join(folder, STORE_NAME)) && !replace)
    throw new FsRefusal('entry-exists', `${folder} holds a ${STORE_NAME} that this mount did not commit`, {
      advice: 'nothing was written; name another folder, or use --overwrite to add to it',
    });
  mkdirSync(join(folder, STATE_NAME), { recursive: true });
  writeFileSync(path, `${JSON.stringify({ owner })}\n`);
}
