import type { Negotiated } from '../fuse/negotiation.ts';

/** What a supervisor is started with: one JSON argument. */
export interface SupervisorSpec {
  mountpoint: string;
  allowOther: boolean;
  /** What `df` and `mount` show, after `platefs#`. */
  sourceLabel: string;
  /** Path of the daemon's main module. */
  daemonEntry: string;
  /** Handed to the daemon as it is. */
  daemonSpec: unknown;
  /** Node flags of the daemon. */
  daemonArguments?: readonly string[];
  /** File to which the daemon's output is appended; without it the daemon shares the supervisor's. */
  detachedLog?: string;
  /** Kernel read-ahead in files of the mount, when mounted as root. */
  readAheadKib?: number;
  /** Deaths of daemons within ten seconds after which the mount is given up. */
  deathsMax?: number;
}

/** Supervisor to daemon, before anything else. Descriptor `fuseFd` is the open /dev/fuse. */
export interface StartMessage {
  type: 'start';
  fuseFd: number;
  /** Another daemon served this connection and died: INIT is over, and its requests are to be resent. */
  resumed: boolean;
  privileged: boolean;
  mountpoint: string;
  connection: number;
  /** Root of a file system in memory that lives as long as the supervisor ({@link file://../fuse/memory-file-system.ts}). */
  memoryFd?: number;
  /** Present when `resumed`. */
  negotiated?: Negotiated;
  spec: unknown;
}

/** Supervisor to daemon: write everything out, then end with 'done'. */
export interface DrainMessage {
  type: 'drain';
}

/** Supervisor to daemon: what came of an 'unmount'. */
export interface UnmountedMessage {
  type: 'unmounted';
  result: 'unmounted' | 'busy' | 'not-mounted';
}

export type ToDaemon = StartMessage | DrainMessage | UnmountedMessage;

/** A failure, in the words of PlateFsError. */
export interface FatalMessage {
  type: 'fatal';
  tag: string;
  message: string;
  advice?: string;
}

/**
 * Daemon to supervisor. 'negotiated' is kept for a successor; 'unmount' asks for the mount to be taken away,
 * which a daemon must not do itself; 'done' is a clean end; the others are passed on to whoever started the
 * supervisor.
 */
export type FromDaemon =
  | { type: 'negotiated'; negotiated: Negotiated }
  | { type: 'progress'; text: string }
  | { type: 'ready' }
  | { type: 'unmount'; lazy: boolean }
  | FatalMessage
  | { type: 'done' };

/** Supervisor to whoever started it, as long as that one stays connected. */
export type FromSupervisor =
  | {
      type: 'mounted';
      mountpoint: string;
      connection: number;
      privileged: boolean;
      mended: number;
      pid: number;
    }
  | { type: 'respawned'; deaths: number; cause: string; resumed: boolean }
  | { type: 'progress'; text: string }
  | { type: 'ready' }
  | FatalMessage
  | { type: 'done' };

/** How the outside world is told. */
export interface DaemonVoice {
  tell(message: FromDaemon): void;
  /** Asks the supervisor to unmount; resolves with what came of it. */
  unmount(lazy: boolean): Promise<'unmounted' | 'busy' | 'not-mounted'>;
}
