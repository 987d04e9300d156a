import { randomUUID } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { BadRuleError, CancelledError, DeviceFailedError, explain, HookFailedError } from '../core/errors.ts';
import { type NdArray, release } from '../core/nd-array.ts';
import { loadAll, loadById } from '../core/plugin.ts';
import type { ComputeDevice, JobResult } from '../devices.ts';
import type { ImageEncoder } from '../encoders.ts';
import type { Hook, ParameterValue, Table } from '../hooks.ts';
import type { ImageInfo } from '../model/image.ts';
import type { HookRule } from '../model/mount-definition.ts';
import { ENCODERS, HOOKS, SOURCES } from '../registry.generated.ts';
import type { ArraySource, SourceDriver } from '../sources.ts';
import { renderCsv } from './csv-table.ts';
import { narrowLabels, writeImageFile, writeNewFile } from './image-file.ts';
import { assemblePieces, type HookInput, wholeFile } from './input-file.ts';
import {
  type BoundRule,
  bindRule,
  chainOutputs,
  checkCircles,
  type PlannedOutput,
  planOutputs,
} from './pipeline.ts';
import { joinTables, type PlaneStack, planesOf, type StackPlane, stackPlanes } from './plane-stack.ts';

export interface HookRunnerOptions {
  readonly rules: readonly HookRule[];
  /** Existing folder on the file system the results will stay on; outputs are staged here. */
  readonly stagingDir: string;
  /** In order of preference; the first that can do a whole chain gets it, the next one if that fails. */
  readonly devices: readonly ComputeDevice[];
  /** The registry's unless set. */
  readonly sources?: readonly SourceDriver[];
  /** The registry's `tiff` unless set. */
  readonly encoder?: ImageEncoder;
}

/** A finished file, complete under `stagedPath`, to be moved to `mountPath`. The caller owns it. */
export interface StagedOutput {
  /** Path below the mount's root. */
  readonly mountPath: string;
  readonly stagedPath: string;
  readonly sizeBytes: number;
}

/** What made the outputs; plain data for a log or a sidecar. */
export interface Provenance {
  readonly rule: string;
  readonly input: {
    readonly mountPath: string;
    readonly sizeBytes: number;
    readonly shape: readonly number[];
    readonly dtype: string;
    readonly axes: string;
  };
  readonly steps: readonly {
    readonly name: string;
    readonly hook: string;
    readonly params: Readonly<Record<string, ParameterValue>>;
  }[];
  /** One per plane: its t, c, z counted from 1 where there are several, and each step's scalars. */
  readonly planes: readonly {
    readonly index: Readonly<Record<string, number>>;
    readonly device: string;
    readonly scalars: Readonly<Record<string, Readonly<Record<string, number>>>>;
  }[];
  /** Why a preferred device was passed over. */
  readonly fallbacks: readonly string[];
  readonly elapsedMs: number;
}

export interface RunResult {
  readonly outputs: readonly StagedOutput[];
  readonly provenance: Provenance;
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new CancelledError('the hook was cancelled', { cause: signal.reason });
}

/** Runs rules on closed files. Every output of a run is staged, or none. */
export class HookRunner {
  readonly #rules: readonly BoundRule[];
  readonly #options: HookRunnerOptions;
  readonly #encoder: ImageEncoder;
  readonly #drivers: readonly SourceDriver[];

  private constructor(
    options: HookRunnerOptions,
    rules: readonly BoundRule[],
    encoder: ImageEncoder,
    drivers: readonly SourceDriver[],
  ) {
    this.#options = options;
    this.#rules = rules;
    this.#encoder = encoder;
    this.#drivers = drivers;
  }

  /** Binds the rules. @throws BadRuleError, DeviceFailedError when no device can do a rule. */
  static async create(options: HookRunnerOptions): Promise<HookRunner> {
    const { rules, devices } = options;
    const hooks = new Map<string, Hook>((await loadAll(HOOKS)).map((hook) => [hook.id, hook]));
    const bound = rules.map((rule) => bindRule(rule, hooks));
    checkCircles(bound);
    for (const rule of bound) {
      if (!devices.some((device) => canRun(device, rule))) {
        throw new BadRuleError(rule.rule.name, ['steps'], 'no device here can do all of its steps');
      }
    }
    const encoder = options.encoder ?? (await loadById(ENCODERS, 'tiff'));
    if (encoder?.takes !== 'image')
      throw new HookFailedError('there is no TIFF encoder to write results with');
    return new HookRunner(options, bound, encoder, options.sources ?? (await loadAll(SOURCES)));
  }

  /** The rules that a path below the mount starts, in the definition's order. */
  rulesFor(mountPath: string): readonly BoundRule[] {
    return this.#rules.filter((rule) => rule.matches(mountPath));
  }

  /**
   * Runs a rule on a closed file whose bytes do not change meanwhile.
   * @throws HookFailedError naming rule and file, with the cause: an unreadable input, a step that can't be done,
   * a device that failed, no room for the outputs; CancelledError when `signal` fired.
   */
  async run(rule: BoundRule, input: HookInput, signal: AbortSignal): Promise<RunResult> {
    const prefix = join(this.#options.stagingDir, `hook-${randomUUID()}`);
    const made: string[] = [];
    try {
      const planned = planOutputs(rule, input.mountPath);
      return await this.#runStaged(rule, input, planned, prefix, made, signal);
    } catch (cause) {
      await Promise.all(made.map((path) => rm(path, { force: true })));
      if (cause instanceof CancelledError) throw cause;
      throw new HookFailedError(`hook rule '${rule.rule.name}' on ${input.mountPath}`, { cause });
    } finally {
      await rm(`${prefix}.input`, { force: true });
    }
  }

  async #runStaged(
    rule: BoundRule,
    input: HookInput,
    planned: readonly PlannedOutput[],
    prefix: string,
    made: string[],
    signal: AbortSignal,
  ): Promise<RunResult> {
    const startedMs = performance.now();
    throwIfCancelled(signal);
    let dataPath = await wholeFile(input);
    if (dataPath === undefined && 'pieces' in input) {
      dataPath = `${prefix}.input`;
      await assemblePieces(input.pieces, input.sizeBytes, dataPath);
    }
    const driver = this.#drivers.find((candidate) => candidate.canOpen(input.mountPath));
    if (driver === undefined || dataPath === undefined) {
      throw new HookFailedError(`no reader knows files named like ${input.mountPath}`);
    }
    await using source = await driver.openArray(dataPath, signal);
    const stack = planesOf(source.info);
    const fallbacks: string[] = [];
    const results = await this.#runPlanes(rule, source, stack, fallbacks, signal);
    const outputs: StagedOutput[] = [];
    for (const [index, output] of planned.entries()) {
      throwIfCancelled(signal);
      const unfinished = `${prefix}-${index}.part`;
      const stagedPath = `${prefix}-${index}${output.content === 'image' ? '.tif' : '.csv'}`;
      made.push(unfinished, stagedPath);
      const sizeBytes = await this.#write(unfinished, rule, output, source, stack, results);
      await rename(unfinished, stagedPath);
      outputs.push({ mountPath: output.mountPath, stagedPath, sizeBytes });
    }
    throwIfCancelled(signal);
    return {
      outputs,
      provenance: {
        rule: rule.rule.name,
        input: { mountPath: input.mountPath, sizeBytes: input.sizeBytes, ...source.info },
        steps: rule.steps.map(({ name, hook, bound }) => ({ name, hook, params: bound.params })),
        planes: stack.planes.map(({ index }, plane) => ({
          index,
          device: results[plane]?.device ?? '',
          scalars: Object.fromEntries(
            rule.steps.flatMap(({ name }, step) => {
              const scalars = results[plane]?.steps[step]?.scalars;
              return scalars === undefined ? [] : [[name, scalars]];
            }),
          ),
        })),
        fallbacks,
        elapsedMs: performance.now() - startedMs,
      },
    };
  }

  async #runPlanes(
    rule: BoundRule,
    source: ArraySource,
    { shape, planes }: PlaneStack,
    fallbacks: string[],
    signal: AbortSignal,
  ): Promise<readonly JobResult[]> {
    chainOutputs(rule.steps, { shape: shape.slice(3), dtype: source.info.dtype });
    const devices = this.#options.devices.filter((device) => canRun(device, rule));
    const results: JobResult[] = [];
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let plane = planes[next++]; plane !== undefined; plane = planes[next++]) {
        throwIfCancelled(either);
        results[plane.place] = await this.#runPlane(rule, source, plane, devices, fallbacks, either);
      }
    };
    const lanes = Math.min(planes.length, devices[0]?.concurrency ?? 1);
    const running = Array.from({ length: lanes }, lane);
    try {
      await Promise.all(running);
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled(running);
      throwIfCancelled(signal);
      throw error;
    }
    return results;
  }

  async #runPlane(
    rule: BoundRule,
    source: ArraySource,
    { region }: StackPlane,
    devices: readonly ComputeDevice[],
    fallbacks: string[],
    signal: AbortSignal,
  ): Promise<JobResult> {
    const kept = new Set(rule.outputs.map(({ step }) => step));
    const steps = rule.steps.map(({ bound: { operation, params } }, step) => ({
      operation,
      params,
      keep: kept.has(step),
    }));
    let failure: unknown;
    for (const device of devices) {
      // a device takes its input away, so every attempt reads it again
      const plane = await source.read(region, signal);
      try {
        return await device.run({ input: { ...plane, shape: region.shape.slice(-2) }, steps }, signal);
      } catch (error) {
        if (!(error instanceof DeviceFailedError)) throw error;
        failure = error;
        fallbacks.push(`${device.id}: ${explain(error)}`);
      }
    }
    throw failure;
  }

  async #write(
    path: string,
    { steps }: BoundRule,
    { step, content, mountPath }: PlannedOutput,
    { info }: ArraySource,
    { shape, planes }: PlaneStack,
    results: readonly JobResult[],
  ): Promise<number> {
    const missing = (): never => {
      throw new DeviceFailedError(`step ${step + 1} (${steps[step]?.name}) gave no ${content}`);
    };
    if (content === 'table') {
      const tables: Table[] = results.map((result) => result.steps[step]?.table ?? missing());
      const bytes = Buffer.from(renderCsv(joinTables(tables, planes)), 'utf8');
      await writeNewFile(path, bytes);
      return bytes.byteLength;
    }
    const arrays: NdArray[] = results.map((result) => result.steps[step]?.array ?? missing());
    const spec = chainOutputs(steps, { shape: shape.slice(3), dtype: info.dtype })[step]?.array;
    const stacked = stackPlanes(arrays, shape);
    const pixels = spec?.kind === 'labels' ? narrowLabels(stacked) : stacked;
    const image: ImageInfo = {
      name: mountPath.slice(mountPath.lastIndexOf('/') + 1),
      shape,
      dtype: pixels.dtype,
      channels: [],
      ...(info.pixelSizeUm === undefined ? {} : { pixelSizeUm: info.pixelSizeUm }),
    };
    try {
      return await writeImageFile(path, this.#encoder, image, pixels);
    } finally {
      release(pixels);
    }
  }
}

function canRun(device: ComputeDevice, { steps }: BoundRule): boolean {
  return steps.every(({ bound }) => device.supports(bound.operation));
}
