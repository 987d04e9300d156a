import { keepCommand } from '../keep-command.ts';

export const pin = keepCommand({
  method: 'pin',
  summary: 'Bring files to memory, until drop or umount',
  example: 'pin /mnt/plate1/stacks/A01_s001.tif',
  done: 'pinned in memory',
});
