"""Making, naming and removing: owners and modes of what is made, several names of one file, renaming over each other."""
import os
import stat

from objects import KINDS, make, opened
from world import EXCHANGE, GID, NOREPLACE, UID, WHITEOUT, linkat_fd, make_socket, renameat2

MODES = [0o0, 0o644, 0o755, 0o777, 0o4755, 0o2755, 0o2745, 0o6711, 0o1777, 0o7777]


def modes(w):
    for mode in MODES:
        for kind in ('file', 'folder', 'fifo'):
            for user, owner, members in (('root', 'ann', 'ann'), ('ann', 'ann', 'ann'), ('ann', 'ann', 'cid'), ('ben', 'ben', 'ann'), ('cid', 'ann', 'ann')):
                w.enter('chmod', '%o of a %s of %s:%s by %s' % (mode, kind, owner, members, user))
                make(kind, 'it')
                os.chown('it', UID[owner], GID[members])
                w.user(user)
                w.do('chmod', os.chmod, 'it', mode)
                w.user('root')
                w.stat('it')


def owners(w):
    """Who may give what to whom, and which set-id bits stay."""
    for mode in (0o644, 0o6755, 0o2745, 0o7777):
        for kind in ('file', 'folder', 'link', 'fifo'):
            for user in ('root', 'ann', 'ben', 'cid'):
                for new in ((UID['ann'], -1), (UID['ben'], -1), (-1, GID['ann']), (-1, GID['cid']), (-1, 61004), (-1, -1), (UID['ben'], GID['ann'])):
                    if w.skips():
                        continue
                    w.enter('chown', '%s %o to %d:%d by %s' % (kind, mode, *new, user))
                    make(kind, 'it', 'ann', mode)
                    w.user(user)
                    w.do('chown', os.chown, 'it', *new)
                    w.do('lchown', os.lchown, 'it', *new)
                    w.user('root')
                    w.stat('it')
                    w.stat('it', follow=True)


def made_in(w):
    """Owner, group and mode of what is made, by the folder it is made in."""
    ways = {
        'open': lambda: opened('d/it', os.O_CREAT | os.O_WRONLY, 0o6777),
        'mkdir': lambda: os.mkdir('d/it', 0o1777),
        'mkfifo': lambda: os.mkfifo('d/it', 0o2777),
        'mknod': lambda: os.mknod('d/it', stat.S_IFREG | 0o2775),
        'symlink': lambda: os.symlink('x', 'd/it'),
        'bind': lambda: make_socket('d/it'),
    }
    for name, act in ways.items():
        for mode in (0o777, 0o2777, 0o3777, 0o2757):
            for user in ('root', 'ann', 'ben', 'cid'):
                for mask in (0, 0o022, 0o177):
                    if w.skips():
                        continue
                    w.enter(name if name != 'bind' else 'mknod', 'in %o by %s, umask %o' % (mode, user, mask))
                    make('folder', 'd')
                    os.chown('d', UID['ann'], GID['ann'])
                    os.chmod('d', mode)
                    w.user(user)
                    os.umask(mask)
                    w.do(name, act)
                    os.umask(0)
                    w.user('root')
                    w.stat('d/it')


def renames(w):
    for old in KINDS:
        for new in KINDS:
            for flags in (0, NOREPLACE, EXCHANGE):
                if w.skips():
                    continue
                w.enter('rename', '%s over %s, flags %d' % (old, new, flags))
                make(old, 'old')
                make(new, 'new')
                w.do('rename', renameat2, 'old', 'new', flags)
                w.stat('old')
                w.stat('new')
                w.listing()
    for name, old, new, flags in (
            ('into itself', 'a', 'a/b', 0), ('into its child', 'a', 'a/in/c', 0), ('over its parent', 'a/in', 'a', 0), ('exchange with its parent', 'a/in', 'a', EXCHANGE), ('exchange with its child', 'a', 'a/in', EXCHANGE),
            ('onto itself', 'f', 'f', 0), ('onto itself, not over', 'f', 'f', NOREPLACE), ('onto its other name', 'f', 'g', 0), ('onto its other name, not over', 'f', 'g', NOREPLACE), ('exchange of two names', 'f', 'g', EXCHANGE),
            ('both flags', 'f', 'h', 3), ('unknown flag', 'f', 'h', 8), ('dot', 'a/.', 'b', 0), ('to dot', 'a', 'f/.', 0), ('dot dot', 'a/..', 'b', 0), ('whiteout flag and over', 'f', 'h', WHITEOUT | EXCHANGE), ('up', 'a/in', 'up', 0), ('a name of two away', 'g', 'h', 0)):
        w.enter('rename', name)
        os.makedirs('a/in')
        make('file', 'f')
        make('file', 'h')
        w.do('link', os.link, 'f', 'g')
        w.do('rename', renameat2, old, new, flags)
        for one in ('a', 'f', 'g', 'h'):
            w.stat(one)
        w.listing()


def sticky(w):
    """Names in a folder with the sticky bit: its owner's, the file's owner's, others'."""
    for folder in ('root', 'ann', 'ben'):
        for owner in ('ann', 'ben', 'root'):
            for kind in ('file', 'folder', 'fifo', 'link'):
                for user in ('ann', 'ben', 'cid', 'root'):
                    for name, act in (('unlink', os.unlink if kind != 'folder' else os.rmdir), ('rename', lambda p: os.rename(p, 'd/new')), ('rename over', lambda p: os.rename('d/mine', p)), ('exchange', lambda p: renameat2('d/mine', p, EXCHANGE))):
                        if w.skips():
                            continue
                        w.enter('rename' if 'rename' in name or name == 'exchange' else 'rmdir' if kind == 'folder' else 'unlink', '%s: sticky folder of %s, %s of %s, by %s' % (name, folder, kind, owner, user))
                        make('folder', 'd')
                        make(kind, 'd/it', owner)
                        make('folder' if kind == 'folder' else 'file', 'd/mine', user)
                        os.chown('d', UID[folder], GID[folder])
                        os.chmod('d', 0o1777)
                        w.user(user)
                        w.do('call', act, 'd/it')
                        w.user('root')
                        w.listing('d')


def names_of_one_file(w):
    for kind in KINDS:
        w.enter('link', 'names of a %s come and go' % kind)
        os.mkdir('d')
        make(kind, 'one')
        w.do('link', lambda: os.link('one', 'd/two', follow_symlinks=False))
        w.do('link again', lambda: os.link('one', 'd/two', follow_symlinks=False))
        w.do('third', lambda: os.link('d/two', 'three', follow_symlinks=False))
        for one in ('one', 'd/two', 'three'):
            w.stat(one)
        w.do('chmod', lambda: os.chmod('d/two', 0o604) if kind not in ('link', 'dangling', 'loop') else None)
        w.do('chown', lambda: os.lchown('three', UID['ann'], GID['ben']))
        w.stat('one')
        w.do('unlink', os.unlink, 'one')
        w.stat('three')
        w.do('rename', os.rename, 'd/two', 'd/four')
        w.stat('d/four')
        w.do('rename over', os.rename, 'd/four', 'three')
        w.listing('d')
        w.listing()
        w.do('unlink', os.unlink, 'three')
        w.stat('d/four')
        w.do('unlink', os.unlink, 'd/four')
        w.listing('d')
    w.enter('link', 'bytes are shared by names')
    make('file', 'one')
    w.do('link', os.link, 'one', 'two')
    for name in ('one', 'two'):
        w.do('append', lambda: open(name, 'ab').write(name.encode()))
    w.content('one')
    w.content('two')
    w.do('truncate', os.truncate, 'two', 9)
    w.content('one')
    w.open('f', 'one', os.O_RDWR)
    w.do('unlink', os.unlink, 'one')
    w.stat(w.files['f'])
    w.do('unlink', os.unlink, 'two')
    w.stat(w.files['f'])
    w.do('a name for what has none', linkat_fd, w.files['f'], 'again')
    w.do('name out of many', lambda: [os.link('x', 'y') for _ in range(1)])
    w.enter('link', 'a hundred names')
    make('file', 'f')
    for i in range(100):
        w.do('link', os.link, 'f', 'name %d' % i)
    w.stat('f')
    w.listing()
    for i in range(0, 100, 2):
        w.do('unlink', os.unlink, 'name %d' % i)
    w.stat('f')
    w.listing()


def files_without_names(w):
    for flags in (os.O_RDWR, os.O_WRONLY, os.O_RDWR | os.O_EXCL, os.O_RDONLY):
        for mask in (0, 0o077):
            w.enter('open', 'TMPFILE, flags %o, umask %o' % (flags, mask))
            os.umask(mask)
            w.open('t', '.', os.O_TMPFILE | flags, 0o666)
            os.umask(0)
            w.listing()
            if 't' not in w.files:
                continue
            t = w.files['t']
            w.stat(t)
            w.do('write', os.write, t, b'bytes')
            w.do('name it', linkat_fd, t, 'named')
            w.stat('named')
            w.do('name it again', linkat_fd, t, 'twice')
            w.do('name it so again', linkat_fd, t, 'twice')
            w.stat(t)
            w.do('write more', os.write, t, b' and more')
            w.close('t')
            w.listing()
            w.content('named')


def removals(w):
    for kind in KINDS:
        w.enter('unlink', 'a %s that is open or held' % kind)
        make(kind, 'it')
        w.open('p', 'it', os.O_PATH | os.O_NOFOLLOW)
        w.do('remove', os.rmdir if kind == 'folder' else os.unlink, 'it')
        if kind == 'full':
            continue
        if 'p' in w.files:
            # Whether a folder that is gone still counts itself differs from file system to file system.
            w.do('links', lambda: os.fstat(w.files['p']).st_nlink)
        make(kind, 'it')
        w.stat('it')
    w.enter('rmdir', 'in a folder that is gone')
    os.makedirs('a/b')
    held = os.open('a/b', os.O_RDONLY)
    os.rmdir('a/b')
    for name, act in (('open', lambda: os.open('x', os.O_CREAT | os.O_WRONLY, dir_fd=held)), ('mkdir', lambda: os.mkdir('x', dir_fd=held)), ('symlink', lambda: os.symlink('x', 'y', dir_fd=held)), ('mkfifo', lambda: os.mkfifo('x', dir_fd=held)), ('link', lambda: os.link('../a', 'x', dst_dir_fd=held)), ('list', lambda: os.listdir(held)), ('stat', lambda: os.stat('x', dir_fd=held)), ('up', lambda: os.stat('..', dir_fd=held) and None), ('rename into', lambda: os.rename('a', 'x', dst_dir_fd=held)), ('chmod', lambda: os.fchmod(held, 0o700))):
        w.do(name, act)
    os.close(held)


def run(w):
    modes(w)
    owners(w)
    made_in(w)
    renames(w)
    sticky(w)
    names_of_one_file(w)
    files_without_names(w)
    removals(w)
