import { homedir, tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** The environment variables that decide; `process.env` in the program. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** XDG Base Directory Specification 0.8: a relative path in such a variable is invalid and ignored. */
function baseFolder(env: Environment, variable: string, fallback: string): string {
  const value = env[variable];
  return value !== undefined && isAbsolute(value) ? value : join(env['HOME'] ?? homedir(), fallback);
}

/** Where journals and spilled bytes lie: `$XDG_STATE_HOME/platefs`, else `~/.local/state/platefs`. */
export function stateFolder(env: Environment = process.env): string {
  return join(baseFolder(env, 'XDG_STATE_HOME', '.local/state'), 'platefs');
}

/** Where things lie that can be made again: `$XDG_CACHE_HOME/platefs`, else `~/.cache/platefs`. */
export function cacheFolder(env: Environment = process.env): string {
  return join(baseFolder(env, 'XDG_CACHE_HOME', '.cache'), 'platefs');
}

/** Where sockets and the list of mounts lie: `$XDG_RUNTIME_DIR/platefs`, else `/tmp/platefs-<uid>`. */
export function runtimeFolder(env: Environment = process.env, uid = process.getuid?.() ?? 0): string {
  const base = env['XDG_RUNTIME_DIR'];
  return base !== undefined && isAbsolute(base) ? join(base, 'platefs') : join(tmpdir(), `platefs-${uid}`);
}
