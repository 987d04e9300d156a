/** A plug of a port: loaded only when somebody asks for it. */
export interface PluginEntry<T> {
  readonly id: string;
  load(): Promise<T>;
}

/** Loads every plug of a port, in the registry's order. */
export async function loadAll<T>(entries: readonly PluginEntry<T>[]): Promise<T[]> {
  return Promise.all(entries.map((entry) => entry.load()));
}

/** Loads the plug with this id, or undefined. */
export async function loadById<T>(entries: readonly PluginEntry<T>[], id: string): Promise<T | undefined> {
  return entries.find((entry) => entry.id === id)?.load();
}
