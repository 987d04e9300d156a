import { keepCommand } from '../keep-command.ts';

export const pin = keepCommand({
  method: 'pin',
  summary: 'Bring files to memory, until drop or umount',
  examples: ['pin /mnt/plate1/stacks/A01_s001.tif', 'pin /mnt/cells/arrays/X.npy'],
  done: 'pinned in memory',
});
