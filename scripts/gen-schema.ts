/**
 * Writes mounts/mount.schema.json from the operations of the registry, for editors. `--check` only compares
 * and fails when the file is out of date.
 */
import { fileURLToPath } from 'node:url';
import { mountSchema } from '../src/config/definition-schema.ts';
import { loadAll } from '../src/core/plugin.ts';
import { HOOKS } from '../src/registry.generated.ts';
import { settle } from './generated-text.ts';

const path = fileURLToPath(new URL('../mounts/mount.schema.json', import.meta.url));
settle(path, `${JSON.stringify(mountSchema(await loadAll(HOOKS)), null, 2)}\n`);
