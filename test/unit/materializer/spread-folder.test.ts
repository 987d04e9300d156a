import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { spreadFolders } from '../../../src/materializer/spread-folder.ts';

const EXT4_MAGIC = 0xef53;
const hasExt4 = statfsSync(tmpdir()).type === EXT4_MAGIC && spawnSync('lsattr', ['-V']).error === undefined;

describe('a folder whose folders are to lie apart', () => {
  it.skipIf(!hasExt4)('has chattr attribute T, told twice or once (needs ext4, lsattr)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'platefs-spread-'));
    try {
      spreadFolders(folder);
      spreadFolders(folder);
      const { stdout } = spawnSync('lsattr', ['-d', folder], { encoding: 'utf8' });
      expect(stdout.split(' ')[0]).toContain('T');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.skipIf(!existsSync('/dev/shm'))('stays as it is where the file system has no such attribute', () => {
    const folder = mkdtempSync('/dev/shm/platefs-spread-');
    try {
      expect(() => spreadFolders(folder)).not.toThrow();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
