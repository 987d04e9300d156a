import { createCpuDevice } from './shared/cpu-device.ts';

/** WebAssembly SIMD and TypeScript kernels in as many threads as the machine has cores. */
export default createCpuDevice();
