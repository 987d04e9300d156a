"""What was found while the files of a mount are read."""
import collections
import hashlib
import os

import numpy

opened = collections.Counter()
problems = []
left = []
sums = collections.defaultdict(list)
# By dtype: path, name, checksum and size of the pixels.
for_imagemagick = collections.defaultdict(list)
kinds = {}


def digest(array):
    array = numpy.ascontiguousarray(array)
    return hashlib.sha256(array.astype(array.dtype.newbyteorder('<'), copy=False).tobytes()).hexdigest()


def attempt(what, reader, work):
    """Counts what a reader opens; what it can't is a problem."""
    try:
        result = work()
        opened[reader] += 1
        return result
    except Exception as error:
        problems.append(f'{what}: {reader}: {type(error).__name__}: {str(error)[:300]}')
        return None


def walk(folder):
    """Every file but those that the mount tells of itself."""
    for below, folders, names in os.walk(folder):
        folders.sort()
        if '.platefs' in folders:
            folders.remove('.platefs')
        for name in sorted(names):
            yield os.path.join(below, name)
