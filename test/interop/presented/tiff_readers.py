"""One TIFF as each program reads it: all pages, in their order."""
import ctypes
import functools
import os
import subprocess
import tempfile

import numpy
import tifffile
from PIL import Image
from skimage import io

SCRATCH = tempfile.TemporaryDirectory(prefix='pfs-readers-')
# vips tells of every private tag.
os.environ['VIPS_WARNING'] = '0'
# What each reader shows exactly: the table in src/encoders/README.md.
NOT_FOR = {
    'Pillow': ('int8', 'float16', 'float64', 'int64', 'uint64'),
    'vips': ('float16', 'float64', 'int64', 'uint64'),
}
IMAGEMAGICK = ('uint8', 'uint16')
# Debian's policy for ImageMagick.
MOST_IMAGEMAGICK_PIXELS = 16_000


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, errors='replace')
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-300:])


def scratch(name):
    return os.path.join(SCRATCH.name, f'{os.getpid()}-{name}')


def read_tifffile(path):
    with tifffile.TiffFile(path) as file:
        return numpy.stack([page.asarray() for page in file.pages])


def read_libtiff(path):
    copy = scratch('copy.tif')
    run('tiffcp', '-c', 'none', '-r', '1', path, copy)
    return read_tifffile(copy)


def read_pillow(path):
    with Image.open(path) as image:
        planes = []
        for frame in range(getattr(image, 'n_frames', 1)):
            image.seek(frame)
            planes.append(numpy.array(image))
    return numpy.stack(planes)


def read_skimage(path):
    # Three or four planes are colours to it, which it puts last.
    return io.imread(path)


try:
    VIPS = ctypes.CDLL('libvips.so.42')
    VIPS.vips_image_new_from_file.restype = ctypes.c_void_p
    VIPS.vips_image_write_to_memory.restype = ctypes.c_void_p
    VIPS.vips_error_buffer.restype = ctypes.c_char_p
except OSError:
    VIPS = None


@functools.cache
def start_vips():
    """In the process that reads: one that is forked off has none of its threads, and large images wait for them."""
    VIPS.vips_init(b'platefs')


def read_vips(path, base):
    start_vips()
    option = '[n=-1]' if len(base) > 1 else ''
    image = VIPS.vips_image_new_from_file((path + option).encode(), None)
    try:
        size = ctypes.c_size_t()
        memory = image and VIPS.vips_image_write_to_memory(ctypes.c_void_p(image), ctypes.byref(size))
        if not memory:
            raise RuntimeError(VIPS.vips_error_buffer().decode())
        try:
            return numpy.frombuffer(ctypes.string_at(memory, size.value), base.dtype.newbyteorder('='))
        finally:
            VIPS.g_free(ctypes.c_void_p(memory))
    finally:
        if image:
            VIPS.g_object_unref(ctypes.c_void_p(image))


def imagemagick(paths, dtype):
    """Pixels of files of one type, one behind the other."""
    out = scratch('magick.raw')
    depth = str(8 * numpy.dtype(dtype).itemsize)
    run('convert-im6.q16', *paths, '-depth', depth, '-endian', 'LSB', 'gray:' + out)
    with open(out, 'rb') as file:
        whole = file.read()
    os.unlink(out)
    return whole


def same(one, other):
    if one.size != other.size:
        return False
    if one.shape != other.shape:
        if one.ndim > 2 and one.shape[-3:-1] == other.shape[-2:]:
            one = numpy.moveaxis(one, -1, -3)
        one = one.reshape(other.shape)
    return numpy.array_equal(one, other, equal_nan=other.dtype.kind == 'f')


def read_all(path, by_all):
    """By reader (else by the first that can), what it reads; and what those that should be able to say where they can't."""
    seen, failures = {}, []

    def attempt(reader, work):
        try:
            seen[reader] = work()
        except Exception as error:
            failures.append(f'{reader}: {type(error).__name__}: {str(error)[:300]}')

    attempt('tifffile', lambda: read_tifffile(path))
    if by_all or not seen:
        attempt('libtiff', lambda: read_libtiff(path))
    if not seen:
        return seen, failures
    base = next(iter(seen.values()))
    if not by_all:
        return seen, failures
    kind = base.dtype.name
    attempt('scikit-image', lambda: read_skimage(path))
    # To Pillow it is int32.
    is_beyond = kind == 'uint32' and base.size and base.max() >= 2**31
    if kind not in NOT_FOR['Pillow'] and not is_beyond:
        attempt('Pillow', lambda: read_pillow(path))
    if VIPS and kind not in NOT_FOR['vips']:
        attempt('vips', lambda: read_vips(path, base))
    return seen, failures


def tczyx(path):
    """The image by the axes that the file says it has."""
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        array, axes = series.asarray(), series.axes
        assert len(file.series) == 1, f'{len(file.series)} series'
    assert set(axes) <= set('TCZYX') and len(set(axes)) == len(axes), axes
    for letter in 'TCZYX':
        if letter not in axes:
            array, axes = array[numpy.newaxis], letter + axes
    return array.transpose([axes.index(letter) for letter in 'TCZYX'])


def tiffinfo(paths):
    """@raises RuntimeError with what libtiff complains of."""
    done = subprocess.run(('tiffinfo', *paths), capture_output=True, text=True, errors='replace')
    errors = [line for line in done.stderr.splitlines() if 'rror' in line]
    if done.returncode != 0 or errors:
        raise RuntimeError(f'{done.returncode} {errors[:3]}')
