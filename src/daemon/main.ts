/** The daemon's process: started by the supervisor with the FUSE device open, told the rest over IPC. */
import { Worker } from 'node:worker_threads';
import { explain } from '../core/errors.ts';
import { unmountFuse } from '../fuse/unmount.ts';
import type { Daemon } from './daemon.ts';
import { logLine, tolerateFullLog } from './log.ts';
import { fatalMessage } from './supervision.ts';
import type { FromDaemon, ToDaemon } from './supervisor-messages.ts';

type UnmountResult = 'unmounted' | 'busy' | 'not-mounted';

/** The front loads while the rest does. It does not keep a process that fails to start. */
const frontWorker = new Worker(new URL('./front-worker.ts', import.meta.url));
frontWorker.unref();
const loading = import('./daemon.ts');

let daemon: Daemon | undefined;
let mountpoint = '';
const unmounting: ((result: UnmountResult) => void)[] = [];

function tell(message: FromDaemon): void {
  const isLast = message.type === 'done';
  if (process.connected) process.send?.(message, () => isLast && process.exit(0));
  else if (isLast) process.exit(0);
}

const voice = {
  tell,
  unmount: (lazy: boolean): Promise<UnmountResult> =>
    new Promise((resolve) => {
      if (!process.connected) {
        // The supervisor was killed: the mount is ours alone.
        resolve(unmountFuse(mountpoint, { lazy }));
        return;
      }
      unmounting.push(resolve);
      tell({ type: 'unmount', lazy });
    }),
};

tolerateFullLog();
function hear({ Daemon }: Awaited<typeof loading>, message: ToDaemon): void {
  switch (message.type) {
    case 'start':
      mountpoint = message.mountpoint;
      daemon = new Daemon(message, frontWorker, voice);
      daemon.run().catch((error: unknown) => {
        logLine(`platefs: ${explain(error)}`);
        tell(fatalMessage(error));
      });
      return;
    case 'drain':
      void daemon?.drain();
      return;
    case 'unmounted':
      unmounting.shift()?.(message.result);
  }
}

process.on('message', (message: ToDaemon) => {
  void loading.then((room) => hear(room, message));
});
// Terminals and service managers signal the whole group; the supervisor decides what happens.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => {});
