import { keepCommand } from '../keep-command.ts';

export const warm = keepCommand({
  method: 'warm',
  summary: 'Bring files that are costly to make to the cold cache on disk',
  examples: ['warm /mnt/plate1/stacks', 'warm /mnt/cells/tables /mnt/image/stacks'],
  done: 'brought to the cold cache',
});
