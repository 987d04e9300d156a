import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** What the system says about memory at one moment; absent where it does not say. */
export interface MemorySample {
  readonly atMs: number;
  readonly totalBytes?: number;
  readonly availableBytes?: number;
  /** Microseconds that some task has been stalled for memory, since boot (PSI `some total=`). */
  readonly stalledUs?: number;
  /** Of the control group with the least room left; without files in the page cache, which the kernel drops at need. */
  readonly groupUsedBytes?: number;
  readonly groupLimitBytes?: number;
  /** How often a control group came to its limit, so that its tasks were held up or killed; since it was made. */
  readonly groupLimitHits?: number;
}

export interface PressureState {
  readonly isUnderPressure: boolean;
  /** Why, for the log and for status. */
  readonly reasons: readonly string[];
  /** Since when there has been no reason, or the time of the last one. */
  readonly quietSinceMs: number;
  /** Share of their normal size that caches may have, 0.1 to 1. */
  readonly cacheShare: number;
  readonly sample: MemorySample;
}

const MIN_AVAILABLE_BYTES = 512 * 2 ** 20;
const MIN_AVAILABLE_SHARE = 0.05;
const MAX_STALL_SHARE = 0.1;
const MAX_GROUP_SHARE = 0.9;
/** So much of its limit a group must use before coming to it means pressure. */
const FULL_GROUP_SHARE = 0.75;
const RECOVERY_MS = 10_000;
const RECOVERY_STEP = 0.1;
const MIN_CACHE_SHARE = 0.1;

/** Pure: the reasons why a sample means pressure, given the one before. */
function pressureReasons(sample: MemorySample, before: MemorySample | undefined): string[] {
  const reasons: string[] = [];
  const { availableBytes, totalBytes, stalledUs, groupUsedBytes, groupLimitBytes } = sample;
  if (availableBytes !== undefined && totalBytes !== undefined) {
    const floorBytes = Math.max(totalBytes * MIN_AVAILABLE_SHARE, MIN_AVAILABLE_BYTES);
    // A machine that never has so much is not under pressure by that alone.
    if (availableBytes < Math.min(floorBytes, totalBytes / 4))
      reasons.push(`only ${Math.round(availableBytes / 2 ** 20)} MiB of memory are available`);
  }
  if (stalledUs !== undefined && before?.stalledUs !== undefined && sample.atMs > before.atMs) {
    const share = (stalledUs - before.stalledUs) / 1000 / (sample.atMs - before.atMs);
    if (share > MAX_STALL_SHARE)
      reasons.push(`tasks waited for memory ${Math.round(share * 100)} % of the time`);
  }
  if (groupUsedBytes !== undefined && groupLimitBytes !== undefined && groupLimitBytes > 0) {
    if (groupUsedBytes > groupLimitBytes * MAX_GROUP_SHARE)
      reasons.push(
        `the control group uses ${Math.round((groupUsedBytes / groupLimitBytes) * 100)} % of its memory limit`,
      );
  }
  if (hasHitLimit(sample, before)) reasons.push('the control group came to its memory limit');
  return reasons;
}

/** Pure: a group whose page cache comes to the limit is no matter, and happens whenever much is read. */
function hasHitLimit(sample: MemorySample, before: MemorySample | undefined): boolean {
  const { groupLimitHits, groupUsedBytes, groupLimitBytes } = sample;
  if (groupLimitHits === undefined || groupLimitHits <= (before?.groupLimitHits ?? groupLimitHits))
    return false;
  if (groupUsedBytes === undefined || groupLimitBytes === undefined) return false;
  return groupUsedBytes > groupLimitBytes * FULL_GROUP_SHARE;
}

/** Pure: the next state. Pressure halves the caches at once; each quiet 10 s give 10 % back. */
export function nextPressure(state: PressureState | undefined, sample: MemorySample): PressureState {
  const reasons = pressureReasons(sample, state?.sample);
  const share = state?.cacheShare ?? 1;
  if (reasons.length > 0) {
    return {
      isUnderPressure: true,
      reasons,
      quietSinceMs: sample.atMs,
      cacheShare: Math.max(MIN_CACHE_SHARE, share / 2),
      sample,
    };
  }
  const quietSinceMs = state?.quietSinceMs ?? sample.atMs;
  const isRecovered = sample.atMs - quietSinceMs >= RECOVERY_MS;
  return {
    isUnderPressure: (state?.isUnderPressure ?? false) && !isRecovered,
    reasons: [],
    quietSinceMs: isRecovered ? sample.atMs : quietSinceMs,
    cacheShare: isRecovered ? Math.min(1, share + RECOVERY_STEP) : share,
    sample,
  };
}

/** Pure: `some … total=` of a PSI file. */
function parsePsiStalledUs(text: string): number | undefined {
  const match = /^some .*\btotal=(\d+)/m.exec(text);
  return match ? Number(match[1]) : undefined;
}

/** Pure: a field of /proc/meminfo in bytes. */
function parseMeminfoBytes(text: string, field: string): number | undefined {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text);
  return match ? Number(match[1]) * 1024 : undefined;
}

/** Pure: where the control groups of a process are, by /proc/self/cgroup: v2 path, v1 memory path. */
function parseGroupPaths(text: string): { v2?: string; v1?: string } {
  const paths: { v2?: string; v1?: string } = {};
  for (const line of text.split('\n')) {
    const [hierarchy, controllers = '', ...rest] = line.split(':');
    const path = rest.join(':');
    if (hierarchy === '0' && controllers === '') paths.v2 = path;
    else if (controllers.split(',').includes('memory')) paths.v1 = path;
  }
  return paths;
}

/** Limits at or above this mean none: cgroup v1 writes the largest page-aligned 63-bit number. */
const NO_LIMIT_BYTES = 2 ** 60;

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text.trim());
  return Number.isFinite(value) && value > 0 && value < NO_LIMIT_BYTES ? value : undefined;
}

/**
 * Pure: how often a group came to a limit: `high`, `max` and `oom` of memory.events (kernel's
 * admin-guide/cgroup-v2), or the one number of memory.failcnt.
 */
function parseLimitHits(text: string): number {
  const counts = [...text.matchAll(/^(?:high|max|oom) (\d+)$/gm)].map(([, count]) => Number(count));
  return counts.length > 0 ? counts.reduce((sum, count) => sum + count, 0) : Number(text.trim()) || 0;
}

/** Pure: files in the page cache, by memory.stat: with those of groups below, which v1 writes as `total_…`. */
function parseCacheBytes(text: string): number {
  const sumOf = (prefix: string): number | undefined => {
    const fields = [...text.matchAll(new RegExp(`^${prefix}(?:in)?active_file (\\d+)$`, 'gm'))];
    return fields.length === 0 ? undefined : fields.reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  };
  return sumOf('total_') ?? sumOf('') ?? 0;
}

/** A file of procfs or cgroupfs, kept open: reading it again costs microseconds. Missing files read as undefined. */
class KeptFile {
  private descriptor: number | undefined;
  private readonly buffer = Buffer.alloc(8192);

  constructor(path: string) {
    try {
      this.descriptor = openSync(path, 'r');
    } catch {
      // Absent on this kernel or in this container: the sample lacks the figure.
      this.descriptor = undefined;
    }
  }

  read(): string | undefined {
    if (this.descriptor === undefined) return undefined;
    try {
      return this.buffer.toString(
        'latin1',
        0,
        readSync(this.descriptor, this.buffer, 0, this.buffer.length, 0),
      );
    } catch {
      // The control group was removed, or PSI is compiled in but switched off.
      this.close();
      return undefined;
    }
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
  }
}

interface GroupFiles {
  /** `memory.events`, or `memory.failcnt` of v1. */
  readonly events: KeptFile;
  readonly stat: KeptFile;
  readonly used: KeptFile;
  readonly limits: readonly KeptFile[];
}

/** Environment variable of the daemon: a folder that stands for `/` here, so that tests say how the system is. */
const ROOT_VARIABLE = 'PLATEFS_MEMORY_ROOT';

/** Reads samples. `root` stands for `/` in tests. */
export class PressureProbe implements Disposable {
  private readonly psi: KeptFile;
  private readonly meminfo: KeptFile;
  private readonly groups: readonly GroupFiles[];

  constructor(root = process.env[ROOT_VARIABLE] ?? '') {
    this.psi = new KeptFile(`${root}/proc/pressure/memory`);
    this.meminfo = new KeptFile(`${root}/proc/meminfo`);
    this.groups = groupFolders(root).map(({ folder, used, limits, events }) => ({
      events: new KeptFile(`${folder}/${events}`),
      stat: new KeptFile(`${folder}/memory.stat`),
      used: new KeptFile(`${folder}/${used}`),
      limits: limits.map((limit) => new KeptFile(`${folder}/${limit}`)),
    }));
  }

  sample(atMs: number): MemorySample {
    const meminfo = this.meminfo.read();
    const psi = this.psi.read();
    const figures = {
      totalBytes: meminfo === undefined ? undefined : parseMeminfoBytes(meminfo, 'MemTotal'),
      availableBytes: meminfo === undefined ? undefined : parseMeminfoBytes(meminfo, 'MemAvailable'),
      stalledUs: psi === undefined ? undefined : parsePsiStalledUs(psi),
      groupLimitHits: this.limitHits(),
      ...this.tightestGroup(),
    };
    const known = Object.entries(figures).filter((entry) => entry[1] !== undefined);
    return { atMs, ...Object.fromEntries(known) };
  }

  [Symbol.dispose](): void {
    this.psi.close();
    this.meminfo.close();
    for (const { used, limits, events, stat } of this.groups)
      for (const file of [used, events, stat, ...limits]) file.close();
  }

  private limitHits(): number | undefined {
    const hits = this.groups.flatMap(({ events }) => {
      const text = events.read();
      return text === undefined ? [] : [parseLimitHits(text)];
    });
    return hits.length === 0 ? undefined : hits.reduce((sum, count) => sum + count, 0);
  }

  private tightestGroup(): { groupUsedBytes?: number; groupLimitBytes?: number } {
    let tightest: { groupUsedBytes: number; groupLimitBytes: number } | undefined;
    for (const { used, limits, stat } of this.groups) {
      const heldBytes = Number(used.read() ?? Number.NaN);
      const usedBytes = Math.max(0, heldBytes - parseCacheBytes(stat.read() ?? ''));
      const known = limits.flatMap((limit) => parseLimit(limit.read()) ?? []);
      if (known.length === 0 || !Number.isFinite(usedBytes)) continue;
      const limitBytes = Math.min(...known);
      const roomBytes = tightest
        ? tightest.groupLimitBytes - tightest.groupUsedBytes
        : Number.POSITIVE_INFINITY;
      if (limitBytes - usedBytes < roomBytes)
        tightest = { groupUsedBytes: usedBytes, groupLimitBytes: limitBytes };
    }
    return tightest ?? {};
  }
}

/** The group's folder and all above it: a limit of any of them binds. */
function groupFolders(root: string): { folder: string; used: string; limits: string[]; events: string }[] {
  let text: string;
  try {
    text = readFileSync(`${root}/proc/self/cgroup`, 'latin1');
  } catch {
    // No control groups here.
    return [];
  }
  const { v1, v2 } = parseGroupPaths(text);
  const above = (path: string): string[] => {
    const parts = path.split('/').filter((part) => part !== '');
    return parts.map((_, index) => parts.slice(0, index + 1).join('/')).concat('');
  };
  const second = (v2 === undefined ? [] : above(v2)).map((path) => ({
    folder: `${root}/sys/fs/cgroup/${path}`,
    used: 'memory.current',
    limits: ['memory.high', 'memory.max'],
    events: 'memory.events',
  }));
  const first = (v1 === undefined ? [] : above(v1)).map((path) => ({
    folder: `${root}/sys/fs/cgroup/memory/${path}`,
    used: 'memory.usage_in_bytes',
    limits: ['memory.limit_in_bytes'],
    events: 'memory.failcnt',
  }));
  return [...second, ...first];
}

const POLL_MS = 1000;

/** Polls once a second and reports every state. Does not keep the process alive. */
export function watchPressure(
  onState: (state: PressureState) => void,
  probe = new PressureProbe(),
): Disposable {
  let state: PressureState | undefined;
  const poll = (): void => {
    state = nextPressure(state, probe.sample(Date.now()));
    onState(state);
  };
  const timer = setInterval(poll, POLL_MS);
  timer.unref();
  poll();
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      probe[Symbol.dispose]();
    },
  };
}
