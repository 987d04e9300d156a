import { MessageChannel, type Worker } from 'node:worker_threads';
import type { DaemonSpec } from '../config/daemon-spec.ts';
import type { FrontWake } from '../fuse/front-wake.ts';
import { budgetOf } from '../memory/budget.ts';
import { placementLimits } from '../overlay/file-placement.ts';
import type { OverlayFolders } from '../overlay/open-overlay.ts';
import type { SharedMount } from '../tree/shared-mount.ts';
import { FrontLink } from './front-link.ts';
import type { FromFront } from './front-messages.ts';
import type { FrontData } from './front-worker.ts';
import { writtenBoundBytes } from './mount-memory.ts';
import type { Readers } from './readers.ts';
import type { StartMessage } from './supervisor-messages.ts';

interface FrontStart {
  /** The front's thread, which waits for its first message. */
  readonly worker: Worker;
  readonly start: StartMessage;
  readonly definition: DaemonSpec['definition'];
  readonly mount: SharedMount;
  readonly folders: OverlayFolders;
  readonly budgetBytes: number;
  /** The share of the budget for renders that the kernel reads by itself. */
  readonly hotBytes: number;
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly readers: Readers;
  readonly wake: FrontWake;
  readonly onMessage: (message: FromFront) => void;
  readonly onDeath: (error: Error) => void;
}

/** Gives the front what it serves from: from then on it answers the kernel. */
export function startFront(given: FrontStart): FrontLink {
  const { worker, definition, budgetBytes, readers, wake } = given;
  const { fuseFd, resumed, negotiated, privileged } = given.start;
  const channel = new MessageChannel();
  const ports = readers.frontPorts();
  const data: FrontData = {
    fuseFd,
    resumed,
    ...(negotiated === undefined ? {} : { negotiated }),
    privileged,
    passthrough: !definition.options.noPassthrough,
    readOnly: definition.options.readOnly,
    durability: definition.options.durability ?? 'fsync',
    mount: given.mount,
    folders: given.folders,
    budgetBytes: writtenBoundBytes(budgetBytes),
    placement: placementLimits(budgetBytes, definition.options),
    aheadBytes: Math.floor(budgetOf(budgetBytes).decodedBytes / ports.length / 2),
    hotBytes: given.hotBytes,
    owner: given.owner,
    tellsSealed: definition.hooks.length > 0,
    fromMain: channel.port2,
    wake: wake.memory,
    readers: ports,
    counters: readers.counters.memory,
  };
  worker.ref();
  worker.on('error', given.onDeath);
  const front = new FrontLink(worker, channel.port1, wake, given.onMessage);
  worker.postMessage(data, [channel.port2, ...ports]);
  return front;
}
