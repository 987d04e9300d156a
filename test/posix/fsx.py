"""Random reads and writes of one file, held against a model of its bytes at every step.

    fsx.py --seed N --operations N [--no-maps] [--largest BYTES] [--start] FILE [WHEN COMMAND]...

Each operation is a read, write, append, truncation, read or write through a shared map, hole, zero range,
allocation, copy_file_range, fsync, opening anew, or two descriptors at once; every read and the whole file at the
end must be what the model holds. `--start` takes up the bytes the file has; else it begins anew. `COMMAND` is run
by a shell before operation `WHEN` (to land the file, or to kill a daemon under it). Prints how many operations of
each kind there were. On the first difference it prints the last operations and exits with 1.
"""
import argparse
import collections
import ctypes
import mmap
import os
import random
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
KEEP_SIZE, PUNCH, ZERO = 1, 2, 16
PAGE = 4096


class Different(Exception):
    pass


class Exerciser:
    def __init__(self, path, seed, largest, maps, start):
        self.path, self.largest, self.maps = path, largest, maps
        self.rng = random.Random(seed)
        if not start:
            open(path, 'wb').close()
        with open(path, 'rb') as f:
            self.model = bytearray(f.read())
        self.fd = os.open(path, os.O_RDWR)
        self.counts = collections.Counter()
        self.last = collections.deque(maxlen=40)
        self.fill = 0

    # ---- what is chosen

    def extent(self, within):
        """An offset and a size; now and then at page bounds, and small more often than large."""
        rng = self.rng
        offset = rng.randrange(within + 1)
        if rng.random() < 0.2:
            offset = offset // PAGE * PAGE
        size = rng.randrange(1, 1 << rng.randrange(1, 18))
        if rng.random() < 0.2:
            size = (size + PAGE) // PAGE * PAGE
        return offset, size

    def data(self, size):
        self.fill = self.fill % 255 + 1
        return bytes([self.fill]) * (size // 2) + self.rng.randbytes(size - size // 2) if size < 5000 else bytes([self.fill]) * size

    # ---- the model

    def put(self, offset, data):
        if offset > len(self.model):
            self.model.extend(bytes(offset - len(self.model)))
        self.model[offset:offset + len(data)] = data

    def resize(self, size):
        if size < len(self.model):
            del self.model[size:]
        else:
            self.model.extend(bytes(size - len(self.model)))

    def expect(self, got, offset, what):
        want = self.model[offset:offset + len(got)]
        if got != want:
            at = next(i for i in range(len(got)) if got[i] != want[i])
            raise Different('%s at %d: byte %d is %d, not %d' % (what, offset, offset + at, got[at], want[at]))

    # ---- operations: (offset, size) as extent() gave them

    def read(self, offset, size):
        got = os.pread(self.fd, size, offset)
        if len(got) != max(0, min(size, len(self.model) - offset)):
            raise Different('read of %d at %d gave %d bytes of %d' % (size, offset, len(got), len(self.model)))
        self.expect(got, offset, 'read')

    def write(self, offset, size):
        data = self.data(min(size, self.largest - offset))
        if os.pwrite(self.fd, data, offset) != len(data):
            raise Different('a short write')
        self.put(offset, data)

    def append(self, offset, size):
        data = self.data(max(0, min(size, self.largest - len(self.model))))
        other = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        os.write(other, data)
        os.close(other)
        self.put(len(self.model), data)

    def truncate(self, offset, size):
        if size % 2:
            os.truncate(self.path, offset)
        else:
            os.ftruncate(self.fd, offset)
        self.resize(offset)

    def map_read(self, offset, size):
        if not self.model:
            return
        with mmap.mmap(self.fd, len(self.model), prot=mmap.PROT_READ) as m:
            offset %= len(self.model)
            self.expect(m[offset:offset + size], offset, 'map')

    def map_write(self, offset, size):
        if not self.model:
            return
        offset %= len(self.model)
        data = self.data(min(size, len(self.model) - offset))
        with mmap.mmap(self.fd, len(self.model)) as m:
            m[offset:offset + len(data)] = data
            if size % 3 == 0:
                m.flush()
        self.put(offset, data)

    def fallocate(self, mode, offset, size):
        if libc.fallocate(self.fd, mode, ctypes.c_int64(offset), ctypes.c_int64(size)) != 0:
            raise OSError(ctypes.get_errno(), 'fallocate %d' % mode)

    def zeros(self, offset, size, grows):
        end = offset + size if grows else min(offset + size, len(self.model))
        if end > offset:
            self.put(offset, bytes(end - offset))

    def punch(self, offset, size):
        self.fallocate(PUNCH | KEEP_SIZE, offset, size)
        self.zeros(offset, size, False)

    def zero_range(self, offset, size):
        size = max(1, min(size, self.largest - offset))
        keep = size % 2
        self.fallocate(ZERO | (KEEP_SIZE if keep else 0), offset, size)
        self.zeros(offset, size, not keep)

    def allocate(self, offset, size):
        size = max(1, min(size, self.largest - offset))
        keep = size % 2
        self.fallocate(KEEP_SIZE if keep else 0, offset, size)
        if not keep and offset + size > len(self.model):
            self.resize(offset + size)

    def copy_range(self, offset, size):
        if not self.model:
            return
        source = self.rng.randrange(len(self.model))
        size = min(size, self.largest - offset)
        if size <= 0 or source < offset + size and offset < source + size:
            return
        copied = os.copy_file_range(self.fd, self.fd, size, source, offset)
        want = min(size, len(self.model) - source)
        if not 0 < copied <= want:
            raise Different('copied %d bytes of %d' % (copied, want))
        self.put(offset, self.model[source:source + copied])

    def sync(self, offset, size):
        (os.fsync if size % 2 else os.fdatasync)(self.fd)

    def reopen(self, offset, size):
        os.close(self.fd)
        if size % 3 == 0:
            with open(self.path, 'rb') as f:
                self.expect(f.read(), 0, 'whole')
        self.fd = os.open(self.path, os.O_RDWR)

    def beside(self, offset, size):
        """A reader that opened before a write sees it, and what it has mapped does."""
        reader = os.open(self.path, os.O_RDONLY)
        self.write(offset, min(size, 3000))
        got = os.pread(reader, 4000, offset)
        os.close(reader)
        self.expect(got, offset, 'read beside')

    def length(self, offset, size):
        there = os.fstat(self.fd).st_size
        if there != len(self.model) or os.stat(self.path).st_size != there:
            raise Different('the size is %d, not %d' % (there, len(self.model)))

    def whole(self):
        with open(self.path, 'rb') as f:
            got = f.read()
        if len(got) != len(self.model):
            raise Different('%d bytes, not %d' % (len(got), len(self.model)))
        self.expect(got, 0, 'whole')

    def run(self, operations, events):
        weights = {self.read: 20, self.write: 20, self.append: 4, self.truncate: 6, self.punch: 5, self.zero_range: 5, self.allocate: 4, self.copy_range: 5, self.sync: 0.2, self.reopen: 2, self.beside: 3, self.length: 6}
        if self.maps:
            weights.update({self.map_read: 8, self.map_write: 10})
        chosen = self.rng.choices(list(weights), list(weights.values()), k=operations)
        for i, act in enumerate(chosen):
            for command in events.get(i, []):
                subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)
            limit = self.largest - 1 if act in (self.write, self.beside, self.truncate, self.zero_range, self.allocate, self.copy_range) else len(self.model)
            offset, size = self.extent(limit if self.rng.random() < 0.1 else min(limit, len(self.model)))
            self.last.append('%d %s %d %d of %d' % (i, act.__name__, offset, size, len(self.model)))
            self.counts[act.__name__] += 1
            act(offset, size)
        self.whole()
        os.close(self.fd)
        self.whole()


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--operations', type=int, default=1000)
    parser.add_argument('--largest', type=int, default=256 * 1024)
    parser.add_argument('--no-maps', action='store_true')
    parser.add_argument('--start', action='store_true')
    parser.add_argument('file')
    parser.add_argument('events', nargs='*')
    options = parser.parse_args()
    events = {}
    for when, command in zip(options.events[::2], options.events[1::2]):
        events.setdefault(int(when), []).append(command)
    one = Exerciser(options.file, options.seed, options.largest, not options.no_maps, options.start)
    try:
        one.run(options.operations, events)
    except (Different, OSError) as error:
        print('seed %d: %s\n%s' % (options.seed, error, '\n'.join(one.last)), file=sys.stderr)
        sys.exit(1)
    print(dict(one.counts))
