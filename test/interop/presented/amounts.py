"""How much of a folder of the mount is read: what costs is the pixels that are decoded, not the bytes of the files."""
import collections
import functools
import os

import tifffile

# Smaller files are read whole, however many there are.
LARGE_BYTES = 1 << 20
# Larger ones of a kind are read whole until they are together this many bytes of pixels.
MOST_WHOLE_BYTES = 24 << 20
# Beyond this many bytes of a kind, each so many-th is read in places; of the others TIFFs are only described.
MOST_KIND_BYTES = 48 << 20
EACH = 16
# What a store tells of itself.
METADATA = ('.zarray', '.zattrs', '.zgroup', '.zmetadata', 'zarr.json')


@functools.cache
def pixel_bytes(path):
    """What a reader has to hold of an image at least, which may be compressed: of a TIFF its first page."""
    size = os.stat(path).st_size
    if not path.lower().endswith(('.tif', '.tiff')):
        return size
    try:
        with tifffile.TiffFile(path) as file:
            return max(size, file.pages[0].nbytes)
    except Exception:
        # What can't be opened is told of by whoever reads it.
        return size


class Amounts:
    """Of one folder of the mount: `is_whole` before `is_read`, once for each file."""

    def __init__(self, folder):
        images = os.path.join(folder, 'images')
        self.images = sum(map(pixel_bytes, files_in(images)))
        # The largest plane: no part of a plate's OME-Zarr, and no preview, is rendered of less.
        self.plane = max(map(pixel_bytes, files_in(images)), default=0)
        self.decoded = collections.Counter()
        self.numbers = collections.Counter()

    def is_whole(self, path, view):
        """Whether it is small, or among the first of its kind."""
        size = os.stat(path).st_size if view == 'source' else pixel_bytes(path)
        if view == 'plate.ome.zarr' and os.path.basename(path) not in METADATA:
            size = max(size, self.plane)
        elif view == 'previews':
            size = max(size, self.plane)
        self.kind = view, extension_of(path, view)
        if size <= LARGE_BYTES:
            return True
        self.decoded[self.kind] += size
        self.numbers[self.kind] += 1
        return self.decoded[self.kind] - size < MOST_WHOLE_BYTES

    def is_read(self, path, view):
        """Whether a file that isn't read whole is read in places: all small ones that nothing is decoded for."""
        kind = self.kind
        if view == 'images' and os.stat(path).st_size <= LARGE_BYTES:
            return True
        return self.decoded[kind] <= MOST_KIND_BYTES or self.numbers[kind] % EACH == 0


def extension_of(path, view):
    """Parts of a store have none, but those of one of its levels have one size."""
    return str(os.stat(path).st_size) if view.endswith('ome.zarr') else os.path.basename(path).split('.', 1)[-1]


def files_in(folder):
    return [entry.path for entry in os.scandir(folder) if entry.is_file()] if os.path.isdir(folder) else []
