import type { DaemonSpec } from '../config/daemon-spec.ts';
import { type ControlMethod, ControlServer } from '../control/control-server.ts';
import type { DiscardParams, DrainParams, KeepParams, SnapshotParams } from '../control/documents.ts';
import { MountRegistry } from '../control/mount-registry.ts';
import { FsRefusal } from '../core/errors.ts';
import { peerUserId } from '../fuse/syscalls.ts';
import type { LiveChanges } from './live-changes.ts';
import type { RenderKeeper } from './render-keeper.ts';
import type { Status } from './status.ts';
import type { WriteOut } from './write-out.ts';

/** @throws FsRefusal when a client names no paths. */
function pathsOf(params: unknown): readonly string[] {
  const { paths } = (params ?? {}) as Partial<KeepParams>;
  if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string'))
    throw new FsRefusal('invalid-argument', 'paths are missing');
  return paths;
}

/**
 * Lets `platefs` find this daemon and ask it things: listens on the control socket, then enters the mount in the
 * registry. @returns the server, which the caller disposes of. @throws when the socket can't be made.
 */
export async function openControl(
  spec: DaemonSpec,
  status: Status,
  writeOut: WriteOut,
  renders: RenderKeeper,
  changes: LiveChanges,
): Promise<ControlServer> {
  const { output, source, mountpoint, state, branch } = spec.definition;
  const registry = new MountRegistry(spec.registryFolder);
  const methods: Readonly<Record<string, ControlMethod>> = {
    status: () => status.document(),
    flush: (_params, { progress, signal }) => writeOut.flush(progress, signal),
    pin: (params, { progress, signal }) => renders.pin(pathsOf(params), progress, signal),
    warm: (params, { progress, signal }) => renders.warm(pathsOf(params), progress, signal),
    drop: (params, { signal }) => renders.drop(pathsOf(params), signal),
    written: () => changes.written(),
    snapshot: (params, { progress, signal }) => changes.snapshot(params as SnapshotParams, progress, signal),
    restore: (params, { progress, signal }) => changes.restore(pathsOf(params), params, progress, signal),
    'drop-revision': (params) => changes.dropRevision((params as { number?: unknown }).number),
    discard: (params) => changes.discard(pathsOf(params), (params as Partial<DiscardParams>).force === true),
    drain: (params, { progress, signal }) => writeOut.drain((params as DrainParams).lazy, progress, signal),
  };
  const server = await ControlServer.listen({ socketPath: spec.socketPath, methods, peerUserId });
  registry.add({
    mountpoint,
    source,
    pid: process.pid,
    supervisorPid: process.ppid,
    socket: spec.socketPath,
    output,
    state,
    ...(branch === undefined ? {} : { branch }),
    startedAt: spec.startedAt,
  });
  return server;
}
