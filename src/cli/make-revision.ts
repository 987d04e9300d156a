import type { Revision } from '../changes/revision-store.ts';
import { callControl } from '../control/control-client.ts';
import type { SnapshotParams } from '../control/documents.ts';
import type { ListedMount } from '../control/mount-registry.ts';
import type { CommandContext } from './command.ts';
import { landingText } from './running-mount.ts';

/** Everything that is not in the output folder yet lands first. */
const SILENCE_MS = 120_000;

/** Has a running mount keep what is there now; undefined where nothing changed since its last revision. */
export async function makeRevision(
  { socket }: ListedMount,
  params: SnapshotParams,
  { terminal, signal }: CommandContext,
): Promise<Revision | undefined> {
  const { revision } = (await callControl(socket, 'snapshot', params, {
    onProgress: (value) => terminal.progress(`landing: ${landingText(value)}`),
    silenceMs: SILENCE_MS,
    signal,
  })) as { readonly revision: Revision | null };
  return revision ?? undefined;
}
