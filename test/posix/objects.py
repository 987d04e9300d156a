"""What calls are made on, and the calls that take one path."""
import os
import stat

from world import EXCHANGE, GID, NOREPLACE, UID, make_socket, renameat2, utimensat

KINDS = ['file', 'folder', 'full', 'fifo', 'socket', 'device', 'disk', 'link', 'dangling', 'loop', 'none']


def make(kind, path, owner=None, mode=None):
    """Makes an object of a kind at a path, as root; `aim` is what links lead to."""
    if kind == 'file':
        with open(path, 'wb') as f:
            f.write(b'content')
    elif kind == 'folder':
        os.mkdir(path)
    elif kind == 'full':
        os.mkdir(path)
        open(os.path.join(path, 'inner'), 'wb').close()
    elif kind == 'fifo':
        os.mkfifo(path)
    elif kind == 'socket':
        make_socket(path)
    elif kind == 'device':
        os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(1, 3))
    elif kind == 'disk':
        os.mknod(path, stat.S_IFBLK | 0o644, os.makedev(7, 200))
    elif kind == 'link':
        if not os.path.exists('aim'):
            make('file', 'aim', owner, mode)
        os.symlink('aim', path)
    elif kind == 'dangling':
        os.symlink('nowhere', path)
    elif kind == 'loop':
        os.symlink(os.path.basename(path), path)
    if kind == 'none':
        return
    if mode is not None and not os.path.islink(path):
        os.chmod(path, mode)
    if owner is not None:
        os.chown(path, UID[owner], GID[owner], follow_symlinks=False)
        if mode is not None and not os.path.islink(path):
            os.chmod(path, mode)


def opened(path, flags, mode=0o640):
    os.close(os.open(path, flags | os.O_NONBLOCK, mode))


def listed(path):
    return sorted(os.listdir(path))


# Name of the call → the call on one path. `other` is a file that is there, `fresh` a name that is free.
ONE_PATH = {
    'chmod': lambda p: os.chmod(p, 0o640),
    'chown': lambda p: os.chown(p, -1, -1),
    'chown group': lambda p: os.chown(p, -1, os.stat(p).st_gid),
    'lchown': lambda p: os.lchown(p, -1, -1),
    'truncate': lambda p: os.truncate(p, 3),
    'unlink': os.unlink,
    'rmdir': os.rmdir,
    'mkdir': lambda p: os.mkdir(p, 0o750),
    'mkfifo': lambda p: os.mkfifo(p, 0o640),
    'mknod file': lambda p: os.mknod(p, stat.S_IFREG | 0o640),
    'mknod device': lambda p: os.mknod(p, stat.S_IFCHR | 0o640, os.makedev(1, 5)),
    'bind': make_socket,
    'symlink': lambda p: os.symlink('some/where', p),
    'link to': lambda p: os.link('other', p, follow_symlinks=False),
    'link from': lambda p: os.link(p, 'fresh', follow_symlinks=False),
    'rename to': lambda p: os.rename('other', p),
    'rename from': lambda p: os.rename(p, 'fresh'),
    'rename to, not over': lambda p: renameat2('other', p, NOREPLACE),
    'exchange': lambda p: renameat2('other', p, EXCHANGE),
    'open RDONLY': lambda p: opened(p, os.O_RDONLY),
    'open WRONLY': lambda p: opened(p, os.O_WRONLY),
    'open RDWR': lambda p: opened(p, os.O_RDWR),
    'open CREAT': lambda p: opened(p, os.O_RDONLY | os.O_CREAT),
    'open CREAT|WRONLY': lambda p: opened(p, os.O_WRONLY | os.O_CREAT),
    'open CREAT|EXCL': lambda p: opened(p, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    'open TRUNC': lambda p: opened(p, os.O_WRONLY | os.O_TRUNC),
    'open TRUNC|RDONLY': lambda p: opened(p, os.O_RDONLY | os.O_TRUNC),
    'open DIRECTORY': lambda p: opened(p, os.O_RDONLY | os.O_DIRECTORY),
    'open NOFOLLOW': lambda p: opened(p, os.O_RDONLY | os.O_NOFOLLOW),
    'open APPEND': lambda p: opened(p, os.O_WRONLY | os.O_APPEND),
    'open PATH': lambda p: opened(p, os.O_PATH),
    'open TMPFILE': lambda p: opened(p, os.O_TMPFILE | os.O_RDWR),
    'utimensat now': lambda p: utimensat(p, 'now', 'now'),
    'utimensat': lambda p: utimensat(p, 10**18, 10**18 + 1),
    'utimensat link': lambda p: utimensat(p, 10**18, 10**18 + 1, follow=False),
    'utimensat omit': lambda p: utimensat(p, 'omit', 'omit'),
    'utimensat now, omit': lambda p: utimensat(p, 'now', 'omit'),
    'stat': lambda p: os.stat(p) and None,
    'lstat': lambda p: os.lstat(p) and None,
    'readlink': os.readlink,
    'list': listed,
    'access R': lambda p: os.access(p, os.R_OK, effective_ids=True),
    'access W': lambda p: os.access(p, os.W_OK, effective_ids=True),
    'access X': lambda p: os.access(p, os.X_OK, effective_ids=True),
    'statvfs': lambda p: os.statvfs(p) and None,
    'setxattr': lambda p: os.setxattr(p, 'user.a', b'1'),
    'lsetxattr': lambda p: os.setxattr(p, 'user.a', b'1', follow_symlinks=False),
    'getxattr': lambda p: os.getxattr(p, 'user.a'),
    'removexattr': lambda p: os.removexattr(p, 'user.a'),
}
