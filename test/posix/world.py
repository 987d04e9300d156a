"""A folder of one file system, in which system calls are made and their outcomes noted.

The same calls are made in folders of several file systems; `compare` (differential.py) sets the notes side by
side. A note is plain data that says nothing of the folder itself: results, errno names, fields of stat(2), and of
times how they stand to those seen before.
"""
import ctypes
import errno
import fcntl
import os
import resource
import shutil
import signal
import socket
import stat
import time

libc = ctypes.CDLL(None, use_errno=True)
I64 = ctypes.c_int64
AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
KEEP_SIZE, PUNCH, COLLAPSE, ZERO, INSERT = 1, 2, 8, 16, 32
HOUR_NS = 3_600_000_000_000

# Who makes calls: user, group, further groups. Nobody has these numbers in /etc/passwd, and nobody needs to.
USERS = {
    'root': (0, 0, []),
    'ann': (61001, 61001, []),
    'ben': (61002, 61002, [61001]),
    'cid': (61003, 61003, [61004]),
}
UID = {name: user for name, (user, _, _) in USERS.items()}
GID = {name: group for name, (_, group, _) in USERS.items()}


class Timespec(ctypes.Structure):
    _fields_ = [('seconds', ctypes.c_long), ('nanoseconds', ctypes.c_long)]


def check(result):
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def raw(path):
    return path if isinstance(path, bytes) else path.encode()


def renameat2(old, new, flags):
    check(libc.renameat2(AT_FDCWD, raw(old), AT_FDCWD, raw(new), flags))


def utimensat(path, atime, mtime, follow=True):
    """Each time is nanoseconds since 1970, UTIME_NOW or UTIME_OMIT (as 'now' and 'omit')."""
    special = {'now': UTIME_NOW, 'omit': UTIME_OMIT}
    times = (Timespec * 2)(*[
        Timespec(0, special[one]) if isinstance(one, str) else Timespec(one // 10**9, one % 10**9)
        for one in (atime, mtime)])
    if isinstance(path, int):
        check(libc.futimens(path, times))
    else:
        check(libc.utimensat(AT_FDCWD, raw(path), times, 0 if follow else AT_SYMLINK_NOFOLLOW))


def fallocate(fd, mode, offset, size):
    check(libc.fallocate(fd, mode, I64(offset), I64(size)))


def linkat_fd(fd, path):
    """Names a file that has none, as open(2) says of O_TMPFILE."""
    check(libc.linkat(AT_FDCWD, raw('/proc/self/fd/%d' % fd), AT_FDCWD, raw(path), 0x400))


def make_socket(path):
    one = socket.socket(socket.AF_UNIX)
    try:
        one.bind(path)
    finally:
        one.close()


class World:
    """Calls in one folder. `do` makes a call and notes its outcome."""

    def __init__(self, folder, every=1):
        self.folder = folder
        self.every = every
        self.passed = 0
        self.notes = []
        self.group = ''
        self.about = ''
        self.seen = {}
        self.files = {}

    def skips(self):
        """Whether a case of many like it is left out: of `every` one is made."""
        self.passed += 1
        return self.passed % self.every != 0

    # ---- where and who

    def enter(self, group, about):
        """A fresh folder to work in, as root, without umask."""
        self.leave()
        self.group, self.about = group, about
        os.chdir(self.folder)
        os.mkdir('case', 0o777)
        os.chdir('case')

    def leave(self):
        self.user('root')
        os.umask(0)
        for fd in self.files.values():
            os.close(fd)
        self.files.clear()
        self.seen.clear()
        os.chdir(self.folder)
        if os.path.lexists('case'):
            shutil.rmtree('case')

    def user(self, name):
        if os.getuid() != 0:
            return
        user, group, others = USERS[name]
        os.seteuid(0)
        os.setgroups(others)
        os.setegid(group)
        os.seteuid(user)

    # ---- notes

    def note(self, what, outcome):
        self.notes.append((self.group, '%s: %s' % (self.about, what), outcome))

    def do(self, what, call, *args, show=None):
        """Notes a call's outcome. @returns what it returned, None where it failed."""
        try:
            result = call(*args)
        except OSError as error:
            self.note(what, errno.errorcode.get(error.errno, str(error.errno)))
            return None
        except (ValueError, OverflowError) as error:
            self.note(what, type(error).__name__)
            return None
        if show is not None:
            self.note(what, show(result))
        elif result is None or what.startswith('open'):
            self.note(what, 'done')
        else:
            self.note(what, result.hex() if isinstance(result, bytes) else result)
        return result

    def open(self, name, path, flags, mode=0o644):
        """Opens and keeps a descriptor under a name of the case's own."""
        fd = self.do('open %s %s' % (short(path), flags_text(flags)), lambda: os.open(path, flags, mode))
        if fd is not None:
            self.files[name] = fd
        return fd

    def close(self, name):
        os.close(self.files.pop(name))

    def stat(self, path, follow=False):
        """Notes what stat(2) says of a path, or of a descriptor."""
        what = 'stat %s' % short(path)
        try:
            s = os.fstat(path) if isinstance(path, int) else os.stat(path, follow_symlinks=follow)
        except OSError as error:
            self.note(what, errno.errorcode[error.errno])
            return
        kind = stat.S_IFMT(s.st_mode)
        device = s.st_rdev if kind in (stat.S_IFCHR, stat.S_IFBLK) else 0
        size = None if kind == stat.S_IFDIR else s.st_size
        self.note(what, '%o links %d owner %d:%d size %s device %d' % (
            s.st_mode, s.st_nlink, s.st_uid, s.st_gid, size, device))

    def times(self, path, key):
        """Notes how a path's times stand to those seen when this was last called for the key."""
        what = 'times of %s' % path
        try:
            s = os.lstat(path)
        except FileNotFoundError:
            self.note(what, 'none')
            return
        now = time.time_ns()
        before = self.seen.get(key)
        self.seen[key] = s
        if before is not None and before.st_ino != s.st_ino:
            self.note(what, 'another file')
            return
        outcome = []
        for name in ('atime', 'mtime', 'ctime'):
            present = getattr(s, 'st_%s_ns' % name)
            if abs(present - now) > HOUR_NS:
                outcome.append('%s is %d' % (name, present))
            elif before is None:
                outcome.append('%s is new' % name)
            else:
                past = getattr(before, 'st_%s_ns' % name)
                outcome.append('%s %s' % (name, 'stays' if present == past else 'moves on' if present > past else 'goes back'))
        self.note(what, outcome)

    def listing(self, path='.'):
        def names():
            return sorted('%s %d' % (short(e.name), stat.S_IFMT(e.stat(follow_symlinks=False).st_mode)) for e in os.scandir(path))
        self.do('list %s' % short(path), names)

    def content(self, path):
        def read():
            with open(path, 'rb') as f:
                return f.read().hex()
        self.do('read %s' % short(path), read)


def short(path):
    text = path if isinstance(path, str) else repr(path)
    return text if len(text) <= 60 else '%s…(%d)' % (text[:20], len(text))


FLAG_NAMES = ['WRONLY', 'RDWR', 'CREAT', 'EXCL', 'TRUNC', 'APPEND', 'DIRECTORY', 'NOFOLLOW', 'NONBLOCK', 'TMPFILE', 'SYNC', 'DIRECT', 'NOATIME', 'PATH']


def flags_text(flags):
    names = [n for n in FLAG_NAMES if flags & getattr(os, 'O_' + n) == getattr(os, 'O_' + n)]
    return '|'.join(names) or 'RDONLY'


def limited_file_size(limit, call):
    """Makes a call while no file may grow past `limit`; the signal is ignored, so the errno is seen."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        return call()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)


def lock_conflict(path, how):
    """Whether a second open of a file finds it locked, for each kind of lock."""
    a = os.open(path, os.O_RDWR)
    b = os.open(path, os.O_RDWR)
    try:
        if how == 'flock':
            fcntl.flock(a, fcntl.LOCK_EX)
            fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif how == 'open file description':
            # F_OFD_SETLK; struct flock of 64-bit Linux.
            import struct
            one = struct.pack('hhqqixxxx', fcntl.F_WRLCK, 0, 0, 10, 0)
            fcntl.fcntl(a, 37, one)
            fcntl.fcntl(b, 37, one)
        else:
            fcntl.lockf(a, fcntl.LOCK_EX, 10, 0)
            child = os.fork()
            if child == 0:
                try:
                    fcntl.lockf(b, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)
                    os._exit(0)
                except OSError as error:
                    os._exit(error.errno)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if code:
                raise OSError(code, os.strerror(code))
        return 'no conflict'
    finally:
        os.close(a)
        os.close(b)
