"""Every call that takes a path: on every kind of object, by every user, and over odd paths."""
import os

from objects import KINDS, ONE_PATH, make
from world import GID, UID

GROUP_OF = {
    'open': 'open', 'chmod': 'chmod', 'chown': 'chown', 'lchown': 'chown', 'truncate': 'truncate', 'unlink': 'unlink',
    'rmdir': 'rmdir', 'mkdir': 'mkdir', 'mkfifo': 'mkfifo', 'mknod': 'mknod', 'symlink': 'symlink', 'link': 'link',
    'rename': 'rename', 'exchange': 'rename', 'utimensat': 'utimensat', 'readlink': 'symlink',
}

LONG = 'n' * 255
ODD_PATHS = {
    'no name': '', 'dot': '.', 'dot dot': '..', 'folder': 'folder', 'folder/': 'folder/', 'folder/.': 'folder/.', 'folder/..': 'folder/..',
    'file': 'file', 'file/': 'file/', 'file/x': 'file/x', 'file/.': 'file/.', 'missing': 'missing', 'missing/': 'missing/', 'missing/x': 'missing/x',
    'loop': 'loop', 'loop/x': 'loop/x', 'link': 'link', 'link/': 'link/', 'linked folder/x': 'folder link/x', 'linked folder/': 'folder link/',
    '255 bytes': LONG, '256 bytes': LONG + 'n', '256 bytes below': LONG + 'n/x', '4095 bytes': './' * 2047 + 'm', '4096 bytes': './' * 2047 + 'mm',
    '255 bytes of é': 'é' * 127 + 'e', '256 bytes of é': 'é' * 128, 'doubled slashes': 'folder//x', 'in full': 'full/inner',
}


def group(call):
    return GROUP_OF.get(call.split()[0], 'attributes')


def odd_paths(w):
    for call, act in ONE_PATH.items():
        for name, path in ODD_PATHS.items():
            if w.skips():
                continue
            w.enter(group(call), '%s on %s' % (call, name))
            for kind, at in (('file', 'file'), ('file', 'other'), ('folder', 'folder'), ('full', 'full'), ('loop', 'loop')):
                make(kind, at)
            os.symlink('file', 'link')
            os.symlink('folder', 'folder link')
            w.do('call', act, path)
            w.listing()


def kinds_and_users(w):
    for call, act in ONE_PATH.items():
        for kind in KINDS:
            # A mount opens no devices; whether a local disk does is said when it is mounted.
            if call.startswith('open') and kind in ('device', 'disk'):
                continue
            for user in ('root', 'ann', 'ben', 'cid'):
                if w.skips():
                    continue
                w.enter(group(call), '%s on %s by %s' % (call, kind, user))
                os.chmod('.', 0o777)
                make('file', 'other', 'ann', 0o666)
                make(kind, 'it', 'ann', None if kind in ('none', 'dangling', 'loop') else 0o664 if kind != 'folder' else 0o775)
                w.user(user)
                w.do('call', act, 'it')
                w.user('root')
                w.stat('it')
                if kind == 'link':
                    w.stat('aim')
                w.listing()


# Mode and owner of the folder that names are changed in.
FOLDERS = [(0o755, 'ann'), (0o775, 'ann'), (0o777, 'root'), (0o1777, 'root'), (0o1777, 'ann'), (0o555, 'ann'), (0o300, 'ann'), (0o711, 'ann'), (0o700, 'root'), (0o070, 'ann'), (0o1775, 'ann')]
CHANGES = {
    'make a file': ('open', lambda: os.close(os.open('d/new', os.O_CREAT | os.O_WRONLY, 0o644))),
    'make a folder': ('mkdir', lambda: os.mkdir('d/new')),
    'make a fifo': ('mkfifo', lambda: os.mkfifo('d/new')),
    'make a node': ('mknod', lambda: os.mknod('d/new')),
    'make a symlink': ('symlink', lambda: os.symlink('x', 'd/new')),
    'link into it': ('link', lambda: os.link('outside', 'd/new')),
    'link out of it': ('link', lambda: os.link('d/anns', 'new')),
    'unlink ann\'s': ('unlink', lambda: os.unlink('d/anns')),
    'unlink ben\'s': ('unlink', lambda: os.unlink('d/bens')),
    'unlink root\'s': ('unlink', lambda: os.unlink('d/roots')),
    'rmdir ben\'s': ('rmdir', lambda: os.rmdir('d/bens folder')),
    'rename within': ('rename', lambda: os.rename('d/anns', 'd/new')),
    'rename ben\'s out': ('rename', lambda: os.rename('d/bens', 'new')),
    'rename in': ('rename', lambda: os.rename('outside', 'd/new')),
    'rename over ben\'s': ('rename', lambda: os.rename('outside', 'd/bens')),
    'rename a folder out': ('rename', lambda: os.rename('d/bens folder', 'new')),
    'rename a folder in': ('rename', lambda: os.rename('outer folder', 'd/new')),
    'list it': ('granular', lambda: sorted(os.listdir('d'))),
    'look one up': ('granular', lambda: os.stat('d/anns') and None),
    'read one': ('granular', lambda: os.close(os.open('d/bens', os.O_RDONLY))),
    'write one': ('granular', lambda: os.close(os.open('d/bens', os.O_WRONLY))),
    'temporary file': ('open', lambda: os.close(os.open('d', os.O_TMPFILE | os.O_RDWR, 0o600))),
    'chmod one': ('chmod', lambda: os.chmod('d/bens', 0o600)),
    'truncate one': ('truncate', lambda: os.truncate('d/bens', 1)),
    'times of one': ('utimensat', lambda: os.utime('d/bens')),
}


def permissions(w):
    for mode, owner in FOLDERS:
        for change, (name, act) in CHANGES.items():
            for user in ('root', 'ann', 'ben', 'cid'):
                if w.skips():
                    continue
                w.enter(name, '%s by %s, folder %s %o' % (change, user, owner, mode))
                os.chmod('.', 0o777)
                make('folder', 'd')
                for one in ('ann', 'ben', 'root'):
                    make('file', 'd/%ss' % one, one, 0o664)
                make('folder', 'd/bens folder', 'ben', 0o755)
                make('file', 'outside', user, 0o644)
                make('folder', 'outer folder', user, 0o755)
                os.chown('d', UID[owner], GID[owner])
                os.chmod('d', mode)
                w.user(user)
                w.do('call', act)
                w.user('root')
                w.listing('d')
                w.listing()


def who_may_read(w):
    """Bits of a file's mode against its owner, its group and others."""
    for mode in (0o000, 0o400, 0o040, 0o004, 0o200, 0o020, 0o002, 0o100, 0o010, 0o001, 0o644, 0o460, 0o704, 0o777):
        for user in ('root', 'ann', 'ben', 'cid'):
            w.enter('granular', '%o by %s' % (mode, user))
            os.chmod('.', 0o755)
            make('file', 'f', 'ann', mode)
            w.user(user)
            for name, flags in (('read', os.O_RDONLY), ('write', os.O_WRONLY), ('both', os.O_RDWR), ('truncate', os.O_RDONLY | os.O_TRUNC), ('create', os.O_WRONLY | os.O_CREAT), ('noatime', os.O_RDONLY | os.O_NOATIME)):
                w.do(name, lambda: os.close(os.open('f', flags)))
            for name, bit in (('R', os.R_OK), ('W', os.W_OK), ('X', os.X_OK)):
                w.do('access ' + name, lambda: os.access('f', bit, effective_ids=True))


def run(w):
    odd_paths(w)
    kinds_and_users(w)
    permissions(w)
    who_may_read(w)
