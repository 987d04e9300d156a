/** The programs that a mount consists of. */
export const SUPERVISOR_ENTRY = new URL('../daemon/supervisor.ts', import.meta.url);
export const DAEMON_ENTRY = new URL('../daemon/main.ts', import.meta.url);
