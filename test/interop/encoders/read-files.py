"""Opens files with every reader that is named for them and compares each plane with the truth.

Reads a JSON list of files from standard input; prints a JSON list of complaints.
"""
import json
import os
import subprocess
import sys
import tempfile
import warnings

import numpy
import tifffile
from PIL import Image
from skimage import io

warnings.simplefilter('ignore')
SCRATCH = tempfile.mkdtemp()
VIPS_DTYPES = {
    'UCHAR': 'u1', 'CHAR': 'i1', 'USHORT': 'u2', 'SHORT': 'i2', 'UINT': 'u4', 'INT': 'i4', 'FLOAT': 'f4', 'DOUBLE': 'f8',
}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-200:])
    return done.stdout.strip()


def pillow(path):
    with Image.open(path) as image:
        planes = []
        for frame in range(getattr(image, 'n_frames', 1)):
            image.seek(frame)
            planes.append(numpy.array(image))
    return numpy.stack(planes)


def vips(path):
    out = os.path.join(SCRATCH, 'vips.raw')
    option = '[n=-1]' if path.endswith('.tif') else ''
    run('vips', 'rawsave', path + option, out)
    name = run('vipsheader', '-f', 'format', path).rstrip(')').split('_')[-1]
    return numpy.fromfile(out, VIPS_DTYPES.get(name.upper(), name))


def libtiff(path):
    out = os.path.join(SCRATCH, 'copy.tif')
    run('tiffcp', '-r', '2', path, out)
    with tifffile.TiffFile(out) as copy:
        return numpy.stack([page.asarray() for page in copy.pages])


def imagemagick(path):
    out = os.path.join(SCRATCH, 'magick.raw')
    with Image.open(path) as image:
        depth = '8' if image.mode == 'L' else '16'
    run('convert-im6.q16', path, '-depth', depth, '-endian', 'LSB', 'gray:' + out)
    return numpy.fromfile(out, '<u1' if depth == '8' else '<u2')


def scikit_image(path):
    seen = io.imread(path)
    # It takes three or four planes for colours and puts them last.
    return numpy.moveaxis(seen, -1, 0) if seen.ndim == 3 and seen.shape[-1] in (3, 4) else seen


READERS = {
    'tifffile': tifffile.imread,
    'memmap': lambda path: tifffile.memmap(path, mode='r'),
    'scikit-image': scikit_image,
    'Pillow': pillow,
    'vips': vips,
    'libtiff': libtiff,
    'ImageMagick': imagemagick,
}

complaints = []
for file in json.load(sys.stdin):
    truth = numpy.fromfile(file['truth'], file['dtype'])
    for reader in file['readers']:
        try:
            seen = numpy.asarray(READERS[reader](file['path']))
            if not numpy.array_equal(seen.ravel(), truth):
                complaints.append(f"{reader}: {os.path.basename(file['path'])}: {seen.shape} {seen.dtype} {seen.ravel()[:4]} for {truth[:4]}")
            elif reader in ('tifffile', 'memmap', 'scikit-image') and seen.dtype != truth.dtype:
                complaints.append(f"{reader}: {os.path.basename(file['path'])}: {seen.dtype}")
        except Exception as error:
            complaints.append(f"{reader}: {os.path.basename(file['path'])}: {type(error).__name__}: {str(error)[:200]}")
print(json.dumps(complaints))
