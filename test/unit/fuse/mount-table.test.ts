import { describe, expect, it } from 'vitest';
import { mountAt, parseMountTable, readMountTable } from '../../../src/fuse/mount-table.ts';

const TEXT = `22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 22 0:39 / /mnt/my\\040plate rw,nosuid,nodev shared:7 master:3 - fuse.platefs platefs#a\\134b rw,user_id=0
41 40 0:40 / /mnt/my\\040plate rw - fuse.platefs platefs#\\303\\244 rw
garbage
`;

describe('mount table', () => {
  it('decodes paths and finds the topmost mount', () => {
    const table = parseMountTable(TEXT);
    expect(table.map((entry) => entry.source)).toEqual(['/dev/vda1', 'platefs#a\\b', 'platefs#ä']);
    expect(mountAt('/mnt/my plate', table)).toMatchObject({ minor: 40, mountId: 41, type: 'fuse.platefs' });
    expect(mountAt('/mnt', table)).toBeUndefined();
  });

  it('reads this process its own', () => {
    expect(mountAt('/', readMountTable())).toBeDefined();
  });
});
