import { closeSync, openSync } from 'node:fs';
import { expect, it } from 'vitest';
import { syncFileSystem } from '../../../src/core/sync-file-system.ts';

it('syncs the file system of a file, and says what the system says where it can’t', () => {
  const fd = openSync(import.meta.filename, 'r');
  expect(syncFileSystem(fd)).toBe(true);
  closeSync(fd);
  expect(() => syncFileSystem(fd)).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'syncfs' }));
});
