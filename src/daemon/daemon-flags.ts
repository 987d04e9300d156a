/**
 * Keeps V8 from compiling anew what WebAssembly calls JavaScript by: where two threads do that for the same signature at
 * once, V8 13.6 frees code that is another's, and the process dies (SIGSEGV in `Runtime_TierUpWasmToJSWrapper`). Threads
 * that read HDF5, or fetch, call that way often. A count of calls that nobody reaches, as a small integer of V8.
 */
export const NO_WRAPPER_TIER_UP = '--wasm-wrapper-tiering-budget=1000000000';

/** Flags of Node that a daemon runs with: a small young generation, for each of its threads has one. */
export const DAEMON_FLAGS: readonly string[] = [
  '--max-semi-space-size=1',
  NO_WRAPPER_TIER_UP,
  '--disable-warning=ExperimentalWarning',
];
