import { DeviceFailedError } from '../../core/errors.ts';

const PAGE_BYTES = 65_536;
/** Kernels work in bands of rows of about this size, so that a large image needs no large memory. */
export const BAND_BYTES = 4 * 1024 * 1024;
/** A WebAssembly memory can't be made smaller; one that grew past this is dropped after the job. */
const KEEP_BYTES = 64 * 1024 * 1024;
/** Half of what a 32-bit memory can address: no band needs that much, except for absurdly long rows. */
const LIMIT_BYTES = 2 ** 31;

let memory: WebAssembly.Memory | undefined;
let instances = new WeakMap<WebAssembly.Module, WebAssembly.Instance>();

/**
 * This thread's kernel memory with room for `sizeBytes`. Views of it are void after the next call.
 * @throws DeviceFailedError when it is more than 2 GiB or the machine has no room.
 */
export function kernelMemory(sizeBytes: number): ArrayBuffer {
  if (sizeBytes > LIMIT_BYTES) {
    throw new DeviceFailedError(
      `the image's rows are too long: one band of it needs ${Math.ceil(sizeBytes / 2 ** 20)} MiB of 2048`,
      { advice: 'crop the image, or use a smaller radius' },
    );
  }
  try {
    memory ??= new WebAssembly.Memory({ initial: 1, maximum: 65_536 });
    const missingBytes = sizeBytes - memory.buffer.byteLength;
    if (missingBytes > 0) memory.grow(Math.ceil(missingBytes / PAGE_BYTES));
  } catch (cause) {
    throw new DeviceFailedError(`no room for ${Math.ceil(sizeBytes / 2 ** 20)} MiB of kernel memory`, {
      cause,
    });
  }
  return memory.buffer;
}

/** The module's function of that name, working on this thread's kernel memory. */
export function kernelFunction(module: WebAssembly.Module, name: string): (...args: number[]) => void {
  kernelMemory(0);
  let instance = instances.get(module);
  if (instance === undefined) {
    instance = new WebAssembly.Instance(module, { env: { memory: memory as WebAssembly.Memory } });
    instances.set(module, instance);
  }
  const exported = instance.exports[name];
  if (typeof exported !== 'function') throw new DeviceFailedError(`kernel ${name} is missing`);
  return exported as (...args: number[]) => void;
}

/** Gives the memory back to the system if a job made it large. Call between jobs. */
export function trimKernelMemory(): void {
  if (memory === undefined || memory.buffer.byteLength <= KEEP_BYTES) return;
  memory = undefined;
  instances = new WeakMap();
}
