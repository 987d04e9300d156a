import { describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { PLATEFS, PlateMount } from './plate-mount.ts';

const problem = mountProblem();

/** Maps a file that somebody else has open, closes all descriptors, and writes through the map. */
const MAPPED = `
import ctypes, subprocess, time
libc = ctypes.CDLL(None, use_errno=True); libc.mmap.restype = ctypes.c_void_p
p = os.path.join(mnt, 'f'); flush = lambda: subprocess.run([argv[0], 'flush', mnt], capture_output=True)
get = lambda: open(p, 'rb').read()
open(p, 'wb').write(b'.' * 8192)
r = os.open(p, os.O_RDONLY); w = os.open(p, os.O_RDWR)
a = libc.mmap(None, 8192, 3, 1, w, ctypes.c_long(0)); assert a not in (None, 2**64 - 1), ctypes.get_errno()
m = (ctypes.c_char * 8192).from_address(a)
m[0:3] = b'ONE'; os.close(w); assert os.pread(r, 5, 0) == b'ONE..'
m[3:6] = b'TWO'; assert os.pread(r, 7, 0) == b'ONETWO.'; os.close(r); flush()
m[6:9] = b'SIX'; assert get()[:12] == b'ONETWOSIX...', get()[:12]
flush(); m[9:12] = b'TEN'; assert get()[:12] == b'ONETWOSIXTEN', get()[:12]
libc.munmap(ctypes.c_void_p(a), 8192)
where = lambda: os.getxattr(p, 'user.platefs.residency').decode()
# The kernel tells of the last descriptor's end in its own time.
end = time.monotonic() + 60
while True:
    flush(); assert get() == b'ONETWOSIXTEN' + b'.' * 8180
    if where() == 'plain: f' or time.monotonic() > end: break
print(where())`;

describe.skipIf(problem)(`shared maps${problem === undefined ? '' : ` (skipped: ${problem})`}`, () => {
  it.each([
    ['passed through', []],
    ['kept in the page cache', ['-o', 'nopassthrough']],
  ])(
    'of a file that is %s are written after it is closed, and it lands when they are gone',
    async (_how, args) => {
      await using mount = await PlateMount.start({ args });
      expect(await mount.python(MAPPED, PLATEFS)).toBe('plain: f\n');
    },
  );
});
