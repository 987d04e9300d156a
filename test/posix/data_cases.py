"""Bytes of files: opening, lengths, holes, maps, copies, limits, locks, extended attributes, directories."""
import ctypes
import errno
import mmap
import os
import stat

from objects import KINDS, make
from world import COLLAPSE, INSERT, KEEP_SIZE, PUNCH, ZERO, fallocate, libc, limited_file_size, linkat_fd, lock_conflict

PAGE = 4096
# Device nodes open nothing on a mount without devices, and something else elsewhere.
OPENED = [kind for kind in KINDS if kind not in ('device', 'disk')]
BIG = 1 << 16


def open_flags(w):
    extra = [os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND, os.O_DIRECTORY, os.O_NOFOLLOW]
    for access in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
        for chosen in range(1 << len(extra)):
            flags = access | os.O_NONBLOCK
            for i, flag in enumerate(extra):
                if chosen >> i & 1:
                    flags |= flag
            if w.skips():
                continue
            w.enter('open', 'combination %o' % flags)
            for kind in ('file', 'folder', 'link', 'dangling', 'fifo'):
                make(kind, kind)
            for kind in ('file', 'folder', 'link', 'dangling', 'fifo', 'none'):
                fd = w.open('it', kind, flags)
                if fd is None:
                    continue
                if kind in ('file', 'none', 'link'):
                    w.do('write', os.write, fd, b'++')
                    w.do('read', os.pread, fd, 20, 0)
                w.close('it')
            w.listing()


def lengths(w):
    for size in (0, 1, 5, 7, 8, PAGE - 1, PAGE, PAGE + 1, BIG, 1 << 30, -1, 1 << 62, (1 << 63) - 1):
        w.enter('truncate', 'to %d' % size)
        make('file', 'f')
        w.do('truncate', os.truncate, 'f', size)
        w.do('size', lambda: os.stat('f').st_size)
        w.do('grow', os.truncate, 'f', 20)
        w.content('f')
        w.enter('ftruncate', 'to %d' % size)
        make('file', 'f')
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR | os.O_APPEND):
            w.open('f', 'f', flags)
            w.do('ftruncate', os.ftruncate, w.files['f'], size)
            w.do('size', lambda: os.stat('f').st_size)
            w.close('f')
    for kind in OPENED:
        w.enter('ftruncate', 'of a %s' % kind)
        make(kind, 'it')
        w.open('it', 'it', os.O_RDONLY | os.O_NONBLOCK)
        if 'it' in w.files:
            w.do('ftruncate', os.ftruncate, w.files['it'], 1)
            w.do('read', os.read, w.files['it'], 1)
            w.do('write', os.write, w.files['it'], b'x')
            w.do('fsync', lambda: os.fsync(w.files['it']) if kind not in ('fifo', 'socket') else None)
    w.enter('ftruncate', 'within a limit of 8 KiB')
    make('file', 'f')
    w.open('f', 'f', os.O_RDWR)
    f = w.files['f']
    for name, act in (('truncate up to it', lambda: os.ftruncate(f, 8192)), ('truncate past it', lambda: os.ftruncate(f, 8193)), ('truncate path past it', lambda: os.truncate('f', 8193)), ('write past it', lambda: os.pwrite(f, b'x', 8192)), ('write across it', lambda: os.pwrite(f, b'x' * 100, 8150)), ('allocate past it', lambda: fallocate(f, 0, 0, 9000)), ('keep size past it', lambda: fallocate(f, KEEP_SIZE, 0, 9000))):
        w.do(name, lambda: limited_file_size(8192, act))
        w.do('size', lambda: os.fstat(f).st_size)


def allocations(w):
    ranges = [(0, PAGE), (PAGE, 3 * PAGE), (5, 10), (BIG - 7, 9000), (BIG, PAGE), (2 * BIG, 100), (0, 4 * BIG), (0, 0), (-1, 5), (5, -1), (1 << 62, 1 << 62), (0, (1 << 63) - 1)]
    for mode in (0, KEEP_SIZE, PUNCH, PUNCH | KEEP_SIZE, ZERO, ZERO | KEEP_SIZE, COLLAPSE, INSERT, 64, PUNCH | ZERO | KEEP_SIZE):
        for offset, size in ranges:
            # Room that no disk has is refused by each in its own way.
            if size > 1 << 40 and mode in (0, KEEP_SIZE, ZERO, ZERO | KEEP_SIZE) or mode in (COLLAPSE, INSERT):
                continue
            w.enter('posix_fallocate', 'mode %d, %d+%d' % (mode, offset, size))
            with open('f', 'wb') as f:
                f.write(bytes(range(1, 251)) * (BIG // 250 + 1))
                f.truncate(BIG)
            w.open('f', 'f', os.O_RDWR)
            w.do('fallocate', fallocate, w.files['f'], mode, offset, size)
            w.do('size', lambda: os.fstat(w.files['f']).st_size)
            w.do('bytes', lambda: __import__('hashlib').sha256(open('f', 'rb').read()).hexdigest())
    for kind in OPENED:
        for flags in (os.O_RDONLY, os.O_RDWR):
            w.enter('posix_fallocate', 'of a %s, %o' % (kind, flags))
            make(kind, 'it')
            w.open('it', 'it', flags | os.O_NONBLOCK)
            if 'it' in w.files:
                w.do('posix_fallocate', os.posix_fallocate, w.files['it'], 0, 10)
                w.do('fallocate', fallocate, w.files['it'], KEEP_SIZE, 0, 10)
                w.stat('it')


def holes(w):
    w.enter('holes', 'data and holes of 64 KiB')
    w.open('f', 'f', os.O_CREAT | os.O_RDWR)
    f = w.files['f']
    os.ftruncate(f, 10 * BIG)
    for at in (1, 4, 5, 8):
        os.pwrite(f, b'd' * BIG, at * BIG)
    fallocate(f, PUNCH | KEEP_SIZE, 5 * BIG, BIG)
    for at in range(0, 11 * BIG, BIG // 2):
        for name, whence in (('data', os.SEEK_DATA), ('hole', os.SEEK_HOLE)):
            w.do('%s from %d' % (name, at), os.lseek, f, at, whence)
    for offset in (-1, 1 << 62):
        w.do('data from %d' % offset, os.lseek, f, offset, os.SEEK_DATA)
    for whence in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END, 9):
        for offset in (-5, 0, 7):
            w.do('seek %d %d' % (whence, offset), os.lseek, f, offset, whence)
    w.do('read a hole', lambda: os.pread(f, 10, BIG - 5))


def copies(w):
    w.enter('copy_file_range', 'within files and across')
    with open('a', 'wb') as one:
        one.write(bytes(range(256)) * 512)
    make('file', 'b')
    w.open('a', 'a', os.O_RDONLY)
    w.open('b', 'b', os.O_RDWR)
    w.open('append', 'b', os.O_WRONLY | os.O_APPEND)
    w.open('d', '.', os.O_RDONLY)
    a, b, append, folder = (w.files[n] for n in ('a', 'b', 'append', 'd'))
    for name, args in (('start', (a, b, 1000, 0, 0)), ('past the end', (a, b, 5, 1 << 20, 0)), ('across the end', (a, b, 1 << 20, 131000, 50)), ('none', (a, b, 0, 0, 0)), ('hole before', (a, b, 10, 0, 70000)), ('from one that can not be read', (append, b, 5, 0, 0)), ('to one that can not be written', (b, a, 5, 0, 0)), ('to one that is appended to', (a, append, 5, 0, 0)), ('from a folder', (folder, b, 5, 0, 0)), ('within one', (b, b, 100, 0, 5000)), ('over itself', (b, b, 100, 0, 50)), ('bad descriptor', (999, b, 5, 0, 0))):
        w.do(name, os.copy_file_range, *args)
        w.do('size', lambda: os.fstat(b).st_size)
    w.do('sendfile', os.sendfile, b, a, 100, 5000)
    w.content('b')


def maps(w):
    for size in (100, PAGE, 3 * PAGE + 5):
        w.enter('mmap', '%d bytes' % size)
        with open('f', 'wb') as f:
            f.write(b'.' * size)
        w.open('f', 'f', os.O_RDWR)
        w.open('r', 'f', os.O_RDONLY)
        f, r = w.files['f'], w.files['r']
        shared = w.do('map', lambda: mmap.mmap(f, size), show=lambda m: 'mapped')
        private = w.do('map privately', lambda: mmap.mmap(f, size, flags=mmap.MAP_PRIVATE), show=lambda m: 'mapped')
        reading = w.do('map to read', lambda: mmap.mmap(r, size, prot=mmap.PROT_READ), show=lambda m: 'mapped')
        w.do('map read-only for writing', lambda: mmap.mmap(r, size))
        if shared is None or private is None or reading is None:
            continue
        shared[3:7] = b'MAPS'
        private[10:14] = b'MINE'
        w.do('read', os.pread, r, 20, 0)
        os.pwrite(f, b'written', 40)
        w.do('see', lambda: [bytes(m).hex() for m in (shared[35:50], reading[:50], private[:50])])
        shared.flush()
        w.close('f')
        shared[60:64] = b'LATE'
        del shared
        w.do('read', os.pread, r, 70, 0)
        w.content('f')


def without_names(w):
    w.enter('unlink', 'an open file goes on')
    make('file', 'f')
    w.open('f', 'f', os.O_RDWR)
    f = w.files['f']
    os.unlink('f')
    for name, act in (('write', lambda: os.write(f, b'more')), ('read', lambda: os.pread(f, 99, 0)), ('truncate', lambda: os.ftruncate(f, 2)), ('chmod', lambda: os.fchmod(f, 0o600)), ('chown', lambda: os.fchown(f, 5, 6)), ('times', lambda: os.utime(f, ns=(5, 6))), ('fsync', lambda: os.fsync(f)), ('setxattr', lambda: os.setxattr(f, 'user.x', b'y')), ('getxattr', lambda: os.getxattr(f, 'user.x')), ('allocate', lambda: fallocate(f, 0, 0, 100)), ('again', lambda: os.close(os.open('/proc/self/fd/%d' % f, os.O_RDWR))), ('name', lambda: linkat_fd(f, 'g')), ('map', lambda: bytes(mmap.mmap(f, 100)[:3]))):
        w.do(name, act)
        w.stat(f)


def attributes(w):
    for kind in KINDS:
        w.enter('attributes', 'extended, of a %s' % kind)
        make(kind, 'it')
        for name in ('user.a', 'user.' + 'n' * 250, 'user.' + 'n' * 251, 'user.', 'nothing.a', 'a', ''):
            for value in (b'', b'one', b'x' * 3000):
                for flags in (os.XATTR_CREATE, 0, os.XATTR_REPLACE):
                    w.do('set %s %d %d' % (name[:20], len(value), flags), lambda: os.setxattr('it', name, value, flags, follow_symlinks=False))
            w.do('get ' + name[:20], lambda: len(os.getxattr('it', name, follow_symlinks=False)))
        w.do('list', lambda: sorted(n for n in os.listxattr('it', follow_symlinks=False) if not n.startswith('user.platefs.')))
        w.do('remove', lambda: os.removexattr('it', 'user.a', follow_symlinks=False))
        w.do('remove again', lambda: os.removexattr('it', 'user.a', follow_symlinks=False))
    w.enter('attributes', 'extended, of the largest kind')
    make('file', 'f')
    w.do('65537 bytes', lambda: os.setxattr('f', 'user.big', b'x' * 65537))


def locks(w):
    for how in ('flock', 'open file description', 'process'):
        w.enter('locks', how)
        make('file', 'f')
        w.do('conflict', lock_conflict, 'f', how)


class Dirent(ctypes.Structure):
    _fields_ = [('ino', ctypes.c_uint64), ('off', ctypes.c_int64), ('length', ctypes.c_uint16), ('type', ctypes.c_uint8), ('name', ctypes.c_char * 256)]


libc.opendir.restype = libc.readdir.restype = libc.telldir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long


def entries(d, most=1 << 30):
    names = []
    while len(names) < most:
        at = libc.readdir(ctypes.c_void_p(d))
        if not at:
            break
        names.append(ctypes.cast(at, ctypes.POINTER(Dirent)).contents.name.decode())
    return names


def directories(w):
    w.enter('readdir', 'while names come and go')
    os.mkdir('d')
    want = ['f%04d' % i for i in range(700)]
    for n in want:
        os.close(os.open('d/' + n, os.O_CREAT | os.O_WRONLY))
    d = libc.opendir(b'd')
    w.do('all', lambda: sorted(entries(d)) == sorted(want + ['.', '..']))
    libc.rewinddir(ctypes.c_void_p(d))
    first = entries(d, 200)
    place = libc.telldir(ctypes.c_void_p(d))
    rest = entries(d)
    libc.seekdir(ctypes.c_void_p(d), ctypes.c_long(place))
    w.do('from a place told', lambda: entries(d) == rest)
    libc.seekdir(ctypes.c_void_p(d), ctypes.c_long(place))
    gone = first[10:60] + rest[20:70]
    for n in gone:
        if n.startswith('f'):
            os.unlink('d/' + n)
    for i in range(100):
        os.close(os.open('d/new%d' % i, os.O_CREAT | os.O_WRONLY))
    after = entries(d)
    w.do('steady names once', lambda: sorted(n for n in first + after if n in want and n not in gone) == sorted(n for n in want if n not in gone))
    libc.rewinddir(ctypes.c_void_p(d))
    w.do('anew', lambda: sorted(entries(d)) == sorted(os.listdir('d') + ['.', '..']))
    libc.closedir(ctypes.c_void_p(d))
    w.do('numbers', lambda: all(e.inode() == e.stat(follow_symlinks=False).st_ino for e in os.scandir('d')))

    def dots():
        os.makedirs('up/in')
        d = libc.opendir(b'up/in')
        found = {}
        for _ in range(2):
            one = ctypes.cast(libc.readdir(ctypes.c_void_p(d)), ctypes.POINTER(Dirent)).contents
            found[one.name.decode()] = one.ino
        libc.closedir(ctypes.c_void_p(d))
        return found['.'] == os.stat('up/in').st_ino and found['..'] == os.stat('up').st_ino
    w.do('dots', dots)


def subfolders(w):
    """POSIX leaves a folder's links open; here as on disks: two, and one for each folder in it."""
    w.enter('mkdir', 'links of folders')
    os.makedirs('a/b')
    os.mkdir('a/c')
    os.mkdir('d')
    for name, act in (('made', lambda: None), ('moved', lambda: os.rename('a/b', 'd/b')), ('over', lambda: os.rename('a/c', 'd/b')), ('gone', lambda: os.rmdir('d/b')), ('file', lambda: make('file', 'a/f')), ('exchange', lambda: (os.makedirs('d/e'), __import__('world').renameat2('a/f', 'd/e', 2)))):
        act()
        for one in ('.', 'a', 'd'):
            w.do('%s: links of %s' % (name, one), lambda: os.stat(one).st_nlink)


def deep(w):
    w.enter('mkdir', 'deep')
    for i in range(60):
        os.mkdir('deeper' * 20)
        os.chdir('deeper' * 20)
    make('file', 'f')
    w.do('long way', lambda: len(os.getcwd()) > 4096)
    w.content('f')
    w.do('too long', lambda: os.stat('/'.join(['deeper' * 20] * 60)))
    for i in range(60):
        os.chdir('..')
    w.do('remove', lambda: __import__('shutil').rmtree('deeper' * 20))
    w.enter('symlink', 'chains')
    make('file', 'end')
    before = 'end'
    for i in range(45):
        os.symlink(before, 'l%d' % i)
        before = 'l%d' % i
    for i in (0, 10, 38, 39, 40, 44):
        w.do('through %d' % i, lambda: os.stat('l%d' % i).st_size)
    for size in (1, 255, 4095, 4096):
        w.do('of %d bytes' % size, os.symlink, 't' * size, 's%d' % size)
        w.do('size', lambda: (os.lstat('s%d' % size).st_size, len(os.readlink('s%d' % size))))


def run(w):
    for part in (open_flags, lengths, allocations, holes, copies, maps, without_names, attributes, locks, directories, subfolders, deep):
        part(w)
