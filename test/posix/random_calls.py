"""Random calls by several users in a small tree. What is called never depends on what came of it."""
import os
import random
import stat

from world import EXCHANGE, KEEP_SIZE, NOREPLACE, PUNCH, USERS, fallocate, linkat_fd, renameat2, utimensat

NAMES = ['a', 'b', 'c', 'd', 'd/a', 'd/b', 'd/d', 'd/d/a', 'e', 'e/a', 'e/b', 'e/d', 'l', 'e/l']
SLOTS = 4
MODES = [0o644, 0o600, 0o666, 0o755, 0o777, 0o2775, 0o1777, 0o4755, 0o6711, 0o440, 0o000]
CALLS_IN_A_TREE = 150


def run(w, seed, calls):
    rng = random.Random(seed)
    for first in range(0, calls, CALLS_IN_A_TREE):
        w.enter('random', 'seed %d, tree %d' % (seed, first // CALLS_IN_A_TREE))
        os.chmod('.', 0o777)
        for folder in ('d', 'e'):
            os.mkdir(folder)
            os.chmod(folder, rng.choice([0o777, 0o1777, 0o2777]))
        for _ in range(min(CALLS_IN_A_TREE, calls - first)):
            step(w, rng)
        w.user('root')
        look(w)


def look(w):
    """Notes everything that is there."""
    found = []
    for folder, folders, files in os.walk('.'):
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            s = os.lstat(path)
            kind = stat.S_IFMT(s.st_mode)
            what = ''
            if kind == stat.S_IFREG:
                with open(path, 'rb') as f:
                    what = f.read().hex()
            elif kind == stat.S_IFLNK:
                what = os.readlink(path)
            found.append('%s %o %d:%d links %s %s' % (path, s.st_mode, s.st_uid, s.st_gid, s.st_nlink, what))
        folders.sort()
    w.note('all', sorted(found))


def step(w, rng):
    w.user(rng.choice(['root', 'ann', 'ann', 'ben', 'cid']))
    os.umask(rng.choice([0, 0o022, 0o077]))
    name, other = rng.choice(NAMES), rng.choice(NAMES)
    slot = rng.randrange(SLOTS)
    size, offset = rng.choice([0, 1, 100, 4096, 9000]), rng.choice([0, 3, 4096, 20000])
    mode = rng.choice(MODES)
    flags = rng.choice([os.O_RDONLY, os.O_WRONLY, os.O_RDWR]) | os.O_NONBLOCK
    for flag in (os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND):
        if rng.random() < 0.4:
            flags |= flag
    owner = rng.choice(list(USERS.values()))
    data = bytes([rng.randrange(1, 256)]) * size
    held = w.files.get(slot)

    def on_slot(act):
        if held is None:
            raise OSError(9, 'none')
        return act(held)

    def reopen():
        if slot in w.files:
            w.close(slot)
        w.files[slot] = os.open(name, flags, mode)

    def temporary():
        if slot in w.files:
            w.close(slot)
        w.files[slot] = os.open(os.path.dirname(name) or '.', os.O_TMPFILE | os.O_RDWR, mode)

    calls = {
        'open': (8, reopen), 'temporary': (1, temporary),
        'write': (4, lambda: on_slot(lambda f: os.write(f, data))),
        'pwrite': (4, lambda: on_slot(lambda f: os.pwrite(f, data, offset))),
        'pread': (4, lambda: on_slot(lambda f: os.pread(f, size, offset).hex())),
        'ftruncate': (2, lambda: on_slot(lambda f: os.ftruncate(f, size))),
        'fallocate': (2, lambda: on_slot(lambda f: fallocate(f, rng.choice([0, KEEP_SIZE, PUNCH | KEEP_SIZE]), offset, size))),
        'fchmod': (1, lambda: on_slot(lambda f: os.fchmod(f, mode))),
        'fchown': (1, lambda: on_slot(lambda f: os.fchown(f, owner[0], owner[1]))),
        'name by descriptor': (1, lambda: on_slot(lambda f: linkat_fd(f, name))),
        'fstat': (2, lambda: on_slot(lambda f: (lambda s: '%o %d %d:%d %s' % (s.st_mode, s.st_nlink, s.st_uid, s.st_gid, s.st_size if stat.S_ISREG(s.st_mode) else ''))(os.fstat(f)))),
        'fsync': (1, lambda: on_slot(os.fsync)),
        'close': (2, lambda: w.close(slot) if held is not None else None),
        'copy': (1, lambda: on_slot(lambda f: os.copy_file_range(f, w.files.get((slot + 1) % SLOTS, 999), size, 0, offset))),
        'truncate': (2, lambda: os.truncate(name, size)),
        'mkdir': (3, lambda: os.mkdir(name, mode)), 'rmdir': (2, lambda: os.rmdir(name)),
        'unlink': (4, lambda: os.unlink(name)), 'link': (4, lambda: os.link(name, other, follow_symlinks=False)),
        'symlink': (2, lambda: os.symlink(other, name)), 'mkfifo': (1, lambda: os.mkfifo(name, mode)),
        'rename': (5, lambda: os.rename(name, other)),
        'renameat2': (3, lambda: renameat2(name, other, rng.choice([NOREPLACE, EXCHANGE]))),
        'chmod': (3, lambda: os.chmod(name, mode)), 'lchown': (3, lambda: os.lchown(name, owner[0], rng.choice([-1, owner[1]]))),
        'utimes': (2, lambda: utimensat(name, 10**18 + size, rng.choice(['now', 'omit', 10**18]))),
        'setxattr': (1, lambda: os.setxattr(name, 'user.x', data[:50])), 'getxattr': (1, lambda: os.getxattr(name, 'user.x').hex()),
        'stat': (3, lambda: (lambda s: '%o %s %d:%d' % (s.st_mode, s.st_nlink if not stat.S_ISDIR(s.st_mode) else '', s.st_uid, s.st_gid))(os.stat(name))),
        'list': (1, lambda: sorted(os.listdir(os.path.dirname(name) or '.'))),
    }
    chosen = rng.choices(list(calls), [weight for weight, _ in calls.values()])[0]
    # Drawn before the call, so that what fails early draws as much as what does not.
    draws = rng.getrandbits(64)
    state = rng.getstate()
    rng.seed(draws)
    w.do('%s %s %s %d %d %o %d slot %d' % (chosen, name, other, size, offset, mode, flags, slot), lambda: calls[chosen][1]())
    rng.setstate(state)
