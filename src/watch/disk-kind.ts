import { statfsSync } from 'node:fs';

/**
 * File systems whose changes by other machines raise no inotify event here, by `f_type`: statfs(2) and
 * <linux/magic.h>; Lustre, GPFS and BeeGFS by their own headers.
 */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe53_4d42, 'SMB2'],
  [0xff53_4d42, 'CIFS'],
  [0x6573_5546, 'FUSE'],
  [0x0102_1997, '9P'],
  [0x00c3_6400, 'Ceph'],
  [0x5346_414f, 'AFS'],
  [0x6b41_4653, 'AFS'],
  [0x0bd0_0bd0, 'Lustre'],
  [0x4750_4653, 'GPFS'],
  [0x1983_0326, 'BeeGFS'],
  [0x7461_636f, 'OCFS2'],
  [0x0116_1970, 'GFS2'],
  [0x786f_4256, 'VirtualBox shared folder'],
]);

/** The kind of network disk a path lies on, or undefined for a local one. @throws the system's error. */
export function networkDiskKind(path: string): string | undefined {
  return NETWORK_FILE_SYSTEMS.get(Number(BigInt.asUintN(32, statfsSync(path, { bigint: true }).type)));
}
