import type { DaemonSpec } from '../config/daemon-spec.ts';
import { type ControlMethod, ControlServer } from '../control/control-server.ts';
import type { DrainParams } from '../control/documents.ts';
import { MountRegistry } from '../control/mount-registry.ts';
import type { Status } from './status.ts';
import type { WriteOut } from './write-out.ts';

/**
 * Lets `platefs` find this daemon and ask it things: listens on the control socket, then enters the mount in the
 * registry. @returns the server, which the caller disposes of. @throws when the socket can't be made.
 */
export async function openControl(
  spec: DaemonSpec,
  status: Status,
  writeOut: WriteOut,
): Promise<ControlServer> {
  const { output, source, mountpoint, state } = spec.definition;
  const registry = new MountRegistry(spec.registryFolder);
  const methods: Readonly<Record<string, ControlMethod>> = {
    status: () => status.document(),
    flush: (_params, { progress, signal }) => writeOut.flush(progress, signal),
    drain: (params, { progress, signal }) => writeOut.drain((params as DrainParams).lazy, progress, signal),
  };
  const server = await ControlServer.listen({ socketPath: spec.socketPath, methods });
  registry.add({
    mountpoint,
    source,
    pid: process.pid,
    supervisorPid: process.ppid,
    socket: spec.socketPath,
    output,
    state,
    startedAt: spec.startedAt,
  });
  return server;
}
