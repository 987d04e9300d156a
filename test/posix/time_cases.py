"""Which times move, for every call: all folders are made, the clock ticks, all calls are made, all times are looked at."""
import os
import stat
import time

from objects import make
from world import KEEP_SIZE, PUNCH, EXCHANGE, fallocate, linkat_fd, renameat2, utimensat

# Coarser than any kernel's clock tick.
TICK_S = 0.02


def kept_open(path, flags, act):
    fd = os.open(path, flags)
    try:
        return act(fd)
    finally:
        os.close(fd)


def writing(act, flags=os.O_RDWR):
    return lambda: kept_open('f', flags, act)


CALLS = {
    'chmod': ('chmod', lambda: os.chmod('f', 0o600)),
    'chmod as it is': ('chmod', lambda: os.chmod('f', 0o644)),
    'chmod folder': ('chmod', lambda: os.chmod('d', 0o700)),
    'chmod fifo': ('chmod', lambda: os.chmod('p', 0o600)),
    'chown': ('chown', lambda: os.chown('f', 5, 6)),
    'chown as it is': ('chown', lambda: os.chown('f', os.getuid(), -1)),
    'chown folder': ('chown', lambda: os.chown('d', 5, 6)),
    'lchown link': ('chown', lambda: os.lchown('l', 5, 6)),
    'write': ('open', writing(lambda f: os.write(f, b'x'))),
    'write nothing': ('open', writing(lambda f: os.write(f, b''))),
    'append': ('open', writing(lambda f: os.write(f, b'x'), os.O_WRONLY | os.O_APPEND)),
    'open for writing': ('open', writing(lambda f: None)),
    'open TRUNC': ('open', writing(lambda f: None, os.O_WRONLY | os.O_TRUNC)),
    'open TRUNC of nothing': ('open', lambda: kept_open('empty', os.O_WRONLY | os.O_TRUNC, lambda f: None)),
    'open CREAT': ('open', lambda: kept_open('new', os.O_WRONLY | os.O_CREAT, lambda f: None)),
    'open CREAT of one that is there': ('open', lambda: kept_open('f', os.O_WRONLY | os.O_CREAT, lambda f: None)),
    'truncate shorter': ('truncate', lambda: os.truncate('f', 1)),
    'truncate longer': ('truncate', lambda: os.truncate('f', 100)),
    'truncate in vain': ('truncate', lambda: no(lambda: os.truncate('d', 0))),
    'ftruncate as it is': ('ftruncate', writing(lambda f: os.ftruncate(f, 7))),
    'ftruncate': ('ftruncate', writing(lambda f: os.ftruncate(f, 3))),
    'mkdir': ('mkdir', lambda: os.mkdir('d/new')),
    'mkfifo': ('mkfifo', lambda: os.mkfifo('d/new')),
    'mknod': ('mknod', lambda: os.mknod('d/new', stat.S_IFREG | 0o600)),
    'symlink': ('symlink', lambda: os.symlink('x', 'd/new')),
    'link': ('link', lambda: os.link('f', 'd/new')),
    'link in vain': ('link', lambda: no(lambda: os.link('f', 'd/x'))),
    'unlink': ('unlink', lambda: os.unlink('d/x')),
    'unlink one of two': ('unlink', lambda: os.unlink('two')),
    'rmdir': ('rmdir', lambda: os.rmdir('d/e')),
    'rmdir in vain': ('rmdir', lambda: no(lambda: os.rmdir('d'))),
    'rename': ('rename', lambda: os.rename('d/x', 'e/x')),
    'rename within': ('rename', lambda: os.rename('d/x', 'd/y')),
    'rename folder': ('rename', lambda: os.rename('d/e', 'e/e')),
    'rename over': ('rename', lambda: os.rename('d/x', 'e/z')),
    'exchange': ('rename', lambda: renameat2('d/x', 'e/z', EXCHANGE)),
    'rename onto another name of it': ('rename', lambda: os.rename('two', 'one')),
    'utimensat now': ('utimensat', lambda: utimensat('f', 'now', 'now')),
    'utimensat': ('utimensat', lambda: utimensat('f', 10**18 + 7, 10**18 + 9)),
    'utimensat atime': ('utimensat', lambda: utimensat('f', 10**18 + 7, 'omit')),
    'utimensat mtime': ('utimensat', lambda: utimensat('f', 'omit', 10**18 + 9)),
    'utimensat mtime now': ('utimensat', lambda: utimensat('f', 10**18, 'now')),
    'utimensat nothing': ('utimensat', lambda: utimensat('f', 'omit', 'omit')),
    'utimensat folder': ('utimensat', lambda: utimensat('d', 10**18 + 7, 10**18 + 9)),
    'utimensat folder atime': ('utimensat', lambda: utimensat('d', 10**18 + 7, 'omit')),
    'utimensat folder mtime': ('utimensat', lambda: utimensat('d', 'omit', 10**18 + 7)),
    'utimensat link': ('utimensat', lambda: utimensat('l', 10**18 + 7, 10**18 + 9, follow=False)),
    'utimensat link atime': ('utimensat', lambda: utimensat('l', 10**18 + 7, 'omit', follow=False)),
    'utimensat fifo': ('utimensat', lambda: utimensat('p', 10**18 + 7, 10**18 + 9)),
    'utimensat before 1970': ('utimensat', lambda: utimensat('f', -5 * 10**9, -10**18 - 1)),
    'utimensat far on': ('utimensat', lambda: utimensat('f', 5 * 10**18, 10**19)),
    'utimensat, then written': ('utimensat', lambda: (utimensat('f', 10**18, 10**18), writing(lambda f: os.write(f, b'x'))())),
    'utimensat, then chmod': ('utimensat', lambda: (utimensat('f', 10**18, 10**18), os.chmod('f', 0o600))),
    'utimensat folder, then mkdir': ('utimensat', lambda: (utimensat('d', 10**18, 10**18), os.mkdir('d/n'))),
    'futimens': ('utimensat', writing(lambda f: utimensat(f, 10**18 + 1, 10**18 + 2))),
    'fallocate': ('posix_fallocate', writing(lambda f: fallocate(f, 0, 0, 9000))),
    'fallocate punch': ('posix_fallocate', writing(lambda f: fallocate(f, PUNCH | KEEP_SIZE, 0, 4096))),
    'setxattr': ('attributes', lambda: os.setxattr('f', 'user.a', b'1')),
    'setxattr folder': ('attributes', lambda: os.setxattr('d', 'user.a', b'1')),
    'setxattr in vain': ('attributes', lambda: no(lambda: os.setxattr('f', 'user.a', b'1', os.XATTR_REPLACE))),
    'temporary file': ('open', lambda: kept_open('d', os.O_TMPFILE | os.O_RDWR, lambda f: None)),
    'temporary file gets a name': ('link', lambda: kept_open('d', os.O_TMPFILE | os.O_RDWR, lambda f: linkat_fd(f, 'e/n'))),
    'stat': ('attributes', lambda: os.stat('f')),
    'copy_file_range': ('copy_file_range', writing(lambda f: os.copy_file_range(os.open('one', os.O_RDONLY | os.O_NOATIME), f, 3))),
}
LOOKED_AT = ['.', 'f', 'd', 'e', 'l', 'p', 'one', 'd/x', 'e/x', 'd/y', 'e/z', 'd/e', 'e/e', 'new', 'empty']


def no(act):
    try:
        act()
    except OSError:
        pass


def run(w):
    w.enter('times', 'all')
    base = os.getcwd()
    folders = []
    for i, (name, _) in enumerate(CALLS.items()):
        os.mkdir('%d' % i)
        os.chdir('%d' % i)
        for kind, at in (('file', 'f'), ('folder', 'd'), ('folder', 'e'), ('fifo', 'p'), ('file', 'one'), ('file', 'd/x'), ('file', 'e/z'), ('folder', 'd/e')):
            make(kind, at)
        os.symlink('f', 'l')
        no(lambda: os.link('one', 'two'))
        os.close(os.open('empty', os.O_CREAT | os.O_WRONLY))
        os.chdir(base)
    for i in range(len(CALLS)):
        os.chdir('%s/%d' % (base, i))
        look(w, i)
    del w.notes[-len(CALLS) * len(LOOKED_AT):]
    time.sleep(TICK_S)
    for i, (name, (group, act)) in enumerate(CALLS.items()):
        os.chdir('%s/%d' % (base, i))
        w.group, w.about = group, 'times: %s' % name
        w.do('call', lambda: act() and None)
    for i, (name, (group, _)) in enumerate(CALLS.items()):
        os.chdir('%s/%d' % (base, i))
        w.group, w.about = group, 'times: %s' % name
        look(w, i)
    os.chdir(base)


def look(w, i):
    for one in LOOKED_AT:
        w.times(one, key='%d/%s' % (i, one))
