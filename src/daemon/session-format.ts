/** How a mount's results are written is kept with its state: what is committed later, elsewhere, is written alike. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../core/system-code.ts';
import type { LandingFormat } from '../model/landing-format.ts';

const FILE = 'output-format.json';

/** Remembers what this mount was asked for. */
export function keepOutputFormat(state: string, format: LandingFormat = {}): void {
  const path = join(state, FILE);
  writeFileSync(`${path}.new`, JSON.stringify(format), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** What the present or last mount with this state was asked for. */
export function outputFormatOf(state: string): LandingFormat {
  try {
    return JSON.parse(readFileSync(join(state, FILE), 'utf8')) as LandingFormat;
  } catch (error) {
    // A state that an earlier version wrote; a file that is damaged is told of.
    if (systemCode(error) === 'ENOENT') return {};
    throw error;
  }
}
