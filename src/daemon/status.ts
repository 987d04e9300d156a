import type { DaemonSpec } from '../config/daemon-spec.ts';
import type { StatusDocument } from '../control/documents.ts';
import { loadById } from '../core/plugin.ts';
import type { PlateIndex } from '../model/plate-index.ts';
import { planeEncoder } from '../model/profile.ts';
import { ENCODERS } from '../registry.generated.ts';
import { renderMetrics } from '../telemetry/metrics.ts';
import { shownInImages } from '../tree/forbidden-types.ts';
import { openhcsDocument } from '../tree/openhcs-document.ts';
import { PART_NODES, type SharedMount, type SharedPart } from '../tree/shared-mount.ts';
import type { SharedTree } from '../tree/shared-tree.ts';
import { METRICS_NODE, OPENHCS_NODE, STATUS_NODE, WARNINGS_NODE } from '../tree/views/documents.ts';
import type { DocumentText } from './documents.ts';
import type { FrontLink } from './front-link.ts';
import type { HookPump } from './hook-pump.ts';
import type { HotRenders } from './hot-renders.ts';
import type { Landings } from './landings.ts';
import type { MountMemory } from './mount-memory.ts';
import type { Readers } from './readers.ts';
import type { RenderKeeper } from './render-keeper.ts';
import type { RuntimeWarnings } from './runtime-warnings.ts';

export interface StatusParts {
  readonly spec: DaemonSpec;
  /** Everything as it is shown now. */
  readonly mount: () => SharedMount;
  readonly front: FrontLink;
  readonly landings: Landings;
  readonly memory: MountMemory;
  readonly readers: Readers;
  readonly renders: () => RenderKeeper | undefined;
  /** Absent where files that were read whole are not kept. */
  readonly hot: () => HotRenders | undefined;
  /** Absent where the mount has no rules, and until they are loaded. */
  readonly hooks: () => HookPump | undefined;
  readonly warnings: RuntimeWarnings;
  /** How often a daemon took over on this connection. */
  readonly resumes: number;
}

async function openhcsText(shared: SharedTree): Promise<string> {
  const { index, options } = shared;
  const encoder = await loadById(ENCODERS, planeEncoder(options.profile));
  const images = encoder?.takes === 'image' ? encoder : undefined;
  return openhcsDocument(shared, shownInImages(index, images, options.float64As));
}

/** What a mount tells of itself: the status, the warnings and the metrics, each as of the moment it is asked for. */
export class Status {
  readonly #parts: StatusParts;

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  /** The texts of the documents, by their nodes. */
  texts(): Map<number, DocumentText> {
    const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
    const texts = new Map<number, DocumentText>();
    for (const { number } of this.#parts.mount()) {
      const base = number * PART_NODES;
      texts.set(base + STATUS_NODE, async () => json(await this.document()));
      texts.set(base + WARNINGS_NODE, () => json(this.#warningsDocument(number)));
      texts.set(base + METRICS_NODE, () => this.#metrics());
      texts.set(base + OPENHCS_NODE, () => openhcsText(this.#part(number).shared));
    }
    return texts;
  }

  #part(number: number): SharedPart {
    const part = this.#parts.mount().find((one) => one.number === number);
    if (!part) throw new Error(`there is no part ${number}`);
    return part;
  }

  /** The warnings of a part; at the root those of all. */
  #warningsDocument(number: number): unknown {
    const { mount, warnings } = this.#parts;
    const plates = mount().filter((part) => part.number !== 0);
    const ownWarnings = this.#part(number).shared.index.warnings;
    if (number !== 0 || plates.length === 0) return { plate: ownWarnings, runtime: warnings.list() };
    return {
      plate: ownWarnings,
      plates: Object.fromEntries(plates.map(({ name, shared }) => [name, shared.index.warnings])),
      runtime: warnings.list(),
    };
  }

  /** What the control method `status` answers, and more. @throws when the front is gone. */
  async document(): Promise<StatusDocument & Record<string, unknown>> {
    const { spec, front, landings, warnings, resumes } = this.#parts;
    const parts = this.#parts.mount();
    const indexes = parts.map(({ shared }) => shared.index);
    const { facts, scope } = this.#part(0).shared.index;
    const total = (count: (index: PlateIndex) => number): number =>
      indexes.reduce((sum, index) => sum + count(index), 0);
    const { mountpoint, source, output, state, branch } = spec.definition;
    const [usage, held] = await Promise.all([front.ask('usage', {}), this.#parts.memory.document()]);
    const hooks = this.#parts.hooks();
    return {
      pid: process.pid,
      mountpoint,
      source,
      plate: { name: facts.name, format: facts.formatDetail },
      planes: total(({ planes }) => planes.count),
      ...(scope
        ? {
            sources: parts.flatMap(({ name: folder, shared }) =>
              (shared.index.sources ?? []).map(({ name, path, catalog }) => ({
                name: [folder, name].filter((text) => text !== '').join('/') || path,
                title: catalog.title,
              })),
            ),
            plates: indexes.filter((index) => !index.scope).length,
          }
        : {}),
      warnings: total((index) => index.warnings.length) + warnings.count,
      memory: held,
      pins: this.#parts.renders()?.document ?? { files: 0, sizeBytes: 0, paths: [] },
      hot: this.#parts.hot()?.document ?? null,
      coldCache: spec.coldCache ?? null,
      waiting: usage.waiting,
      openForWriting: usage.openForWriting,
      landed: landings.landed,
      kept: landings.failures,
      hooks: hooks?.counts ?? { running: 0, waiting: 0, failed: 0 },
      hookFailures: hooks?.failures() ?? [],
      output,
      state,
      registry: spec.registryFolder,
      ...(branch === undefined ? {} : { branch }),
      resumedCount: resumes,
      startedAt: spec.startedAt,
    };
  }

  async #metrics(): Promise<string> {
    const status = await this.document();
    const { landings, readers, warnings, resumes } = this.#parts;
    const { decodedBytes, servedBytes } = readers.counters.figures();
    return renderMetrics({
      platefs_planes: status.planes,
      platefs_warnings: status.warnings,
      platefs_memory_budget_bytes: status.memory.budgetBytes,
      platefs_memory_closed_files_bytes: status.memory.closedFilesBytes,
      platefs_memory_open_files_bytes: status.memory.openFilesBytes,
      platefs_memory_decoded_bytes: status.memory.decodedBytes,
      platefs_memory_decoded_bound_bytes: status.memory.decodedBoundBytes,
      platefs_memory_pinned_bytes: status.memory.pinnedBytes,
      platefs_memory_hot_bytes: status.memory.hotBytes,
      platefs_hot_files: status.hot?.files ?? 0,
      platefs_served_bytes_total: servedBytes,
      platefs_decoded_bytes_total: decodedBytes,
      platefs_memory_tight: Number(status.memory.isTight),
      platefs_waiting_files: status.waiting.files,
      platefs_landed_files_total: landings.landed.files,
      platefs_landed_bytes_total: landings.landed.sizeBytes,
      platefs_hooks_running: status.hooks.running,
      platefs_hooks_waiting: status.hooks.waiting,
      platefs_hooks_failed: status.hooks.failed,
      platefs_failures_total: warnings.failures,
      platefs_resumes_total: resumes,
      platefs_rss_bytes: process.memoryUsage.rss(),
    });
  }
}
