"""Opens every file of a mount with every program that can hold it.

Reads lines from standard input: a folder of the mount, a tab, and its source as it lies on disk. For each it prints a
line of JSON, made by a process of its own, so that what all need is imported once:
  files     how many files there are
  opened    by reader: how many files it opened and read whole
  sums      by path: checksums of what stands in a file (TIFF, NPY, tables), each in every form that truth files use
  left      some of many large ones: read in three places, or (TIFF) described by tiffinfo alone
  kinds     by view, extension, type and whether it has several pages: the first file, and what ImageJ is to see in it
  problems  what differs between readers, between the forms of one image, or between st_size and what is read
"""
import collections
import csv
import hashlib
import json
import os
import sys
import traceback
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy
import scipy.io
from PIL import Image

try:
    import pandas
except ImportError:
    pandas = None

sys.path.insert(0, os.path.dirname(__file__))
import imagej_looks
import stores
import tiff_readers
from amounts import Amounts
from findings import attempt, digest, for_imagemagick, kinds, left, opened, problems, sums, walk

warnings.simplefilter('ignore')
csv.field_size_limit(1 << 28)
# What the line of input names.
MOUNT = SOURCE = ''
DISK = []
# Larger files are read in three places.
WHOLE_BYTES = 256 << 20
# Previews of a folder that are opened; the others are read.
MOST_PREVIEWS = 6
# Planes that are kept to be compared with the plate's OME-Zarr and stacks.
MOST_PLANES_BYTES = 128 << 20
VIEWS = ('images', 'stacks', 'previews', 'arrays', 'tables', 'source', 'ome-zarr', 'plate.ome.zarr')


def check_size(path, name, is_left):
    size = os.stat(path).st_size
    with open(path, 'rb') as file:
        if is_left or size > WHOLE_BYTES:
            for at in (0, size // 2, max(0, size - 4096)):
                file.seek(at)
                if len(file.read(4096)) != min(4096, size - at):
                    problems.append(f'{name}: no bytes at {at} of {size}')
            file.seek(size)
            seen = size + len(file.read(1))
        else:
            seen = 0
            while part := file.read(1 << 20):
                seen += len(part)
    if seen != size:
        problems.append(f'{name}: st_size is {size}, read {seen}')


def tiff(one):
    """
    All readers that can hold its type see the same, and of a file that is a copy all that can open the original.
    In a process of its own: Pillow closes descriptors that are others' by then.
    """
    path, name = one
    seen, failures = tiff_readers.read_all(path, True)
    base = next(iter(seen.values()), None)
    agree = [reader for reader, pages in seen.items() if tiff_readers.same(pages, base)]
    told = [f'{name}: {reader} sees other pixels than {agree[0]}' for reader in seen if reader not in agree]
    if not (seen and is_copy(path)):
        told += [f'{name}: {failure}' for failure in failures]
    if base is None:
        return one, agree, told, None
    forms = [digest(base)]
    if base.dtype == 'i2' and base.size and -128 <= base.min() and base.max() < 128:
        # Numbers of 8 bits with a sign are shown in 16.
        forms.append(digest(base.astype('i1')))
    facts = forms, base.dtype.name, base.nbytes, max(base.shape[1:]), len(base), imagej_looks.looks(base)
    return one, agree, told, facts


def png(one):
    """All readers see the same shades or colours."""
    path, name = one
    with Image.open(path) as image:
        base = numpy.array(image)[numpy.newaxis]
    seen = {'Pillow': base, 'scikit-image': tiff_readers.read_skimage(path)}
    if tiff_readers.VIPS:
        seen['vips'] = tiff_readers.read_vips(path, base)
    told = [f'{name}: {reader} sees other pixels than Pillow' for reader in seen if not tiff_readers.same(seen[reader], base)]
    facts = [digest(base)], base.dtype.name, base.nbytes, max(base.shape[1:3]), 1, imagej_looks.looks(base)
    return one, [reader for reader in seen], told, facts


def note_image(one, agree, told, facts):
    path, name = one
    opened.update(agree)
    problems.extend(told)
    if facts is None:
        return
    forms, dtype, size, side, pages, looks = facts
    checksum = forms[0]
    sums[name] += forms
    folder, base = os.path.split(name)
    kind = os.path.basename(folder), base.split('.', 1)[-1], dtype, pages > 1
    if kind[1].endswith(('tif', 'tiff', 'png')):
        kinds.setdefault(' '.join(map(str, kind)), {'path': path, 'dtype': dtype, 'pages': pages, 'looks': looks})
    is_small = side <= tiff_readers.MOST_IMAGEMAGICK_PIXELS
    if is_small and dtype in tiff_readers.IMAGEMAGICK:
        for_imagemagick[dtype].append((path, name, checksum, size))


def is_same(path, others):
    """Whether a file has the bytes of one of some others."""
    with open(path, 'rb') as file:
        whole = file.read()
    for other in others:
        with open(other, 'rb') as file:
            if file.read() == whole:
                return True
    return False


def on_disk(below):
    """Files of the source whose path ends so."""
    return [path for path in DISK if path.endswith('/' + below)]


def is_copy(path):
    """Whether it has the bytes of the file that it says it is of."""
    try:
        source = os.getxattr(path, 'user.platefs.source').decode()
    except OSError:
        return False
    return is_same(path, on_disk(source))


def npy(path, name):
    array = attempt(name, 'numpy', lambda: numpy.load(path))
    mapped = attempt(name, 'numpy mmap', lambda: numpy.load(path, mmap_mode='r' if array.size else None))
    if array is None or mapped is None:
        return
    if not numpy.array_equal(mapped, array, equal_nan=array.dtype.kind == 'f'):
        problems.append(f'{name}: mapped otherwise than read')
    forms = [array]
    if array.ndim > 2:
        forms.append(numpy.moveaxis(array, 0, -1))
    if 1 < array.ndim and len(array) <= 64:
        forms += list(array)
        if array.ndim > 3:
            forms += [numpy.moveaxis(part, 0, -1) for part in array]
    # Channels of each page, last as files have them.
    if array.ndim > 3:
        forms += [numpy.moveaxis(array[:, page], 0, -1) for page in range(min(64, array.shape[1]))]
    flat = array.reshape(-1, *array.shape[-2:]) if array.ndim > 2 else []
    forms += list(flat) if len(flat) <= 64 else []
    sums[name] += sorted({digest(form) for form in forms} | {digest(array.astype('f8'))})


def table(path, name):
    """RFC 4180: every row has the header's columns; empty lines are filling."""
    delimiter = '\t' if path.endswith('.tsv') else ','

    def read():
        with open(path, newline='', encoding='utf-8') as file:
            rows = [row for row in csv.reader(file, delimiter=delimiter) if row]
        wrong = [row for row in rows if len(row) != len(rows[0])]
        assert not wrong, f'{len(rows[0])} columns, and in a row {len(wrong[0])}'
        return rows

    rows = attempt(name, 'csv', read)
    if rows is None:
        return
    for column in zip(*rows[1:]):
        cells = [cell.strip() for cell in column]
        sums[name].append(hashlib.sha256('\n'.join(column).encode()).hexdigest())
        try:
            sums[name].append(digest(numpy.array([float(cell) for cell in cells])))
        except ValueError:
            continue
    if pandas is None:
        return
    frame = attempt(name, 'pandas', lambda: pandas.read_csv(path, sep=delimiter, dtype=str, keep_default_na=False))
    if frame is not None and (len(frame) != len(rows) - 1 or len(frame.columns) != len(rows[0])):
        problems.append(f'{name}: pandas sees {frame.shape}, csv {len(rows) - 1} rows of {len(rows[0])}')


def matrix(path, name):
    sparse = attempt(name, 'scipy', lambda: scipy.io.mmread(path))
    if sparse is not None and numpy.prod(sparse.shape) < 1 << 26:
        sums[name].append(digest(sparse.toarray().astype('f8')))


def part_of(folder, pool):
    amounts = Amounts(folder)
    tiffs, previews, opened_only = [], [], []
    for path in walk(folder):
        name = os.path.relpath(path, MOUNT)
        view = os.path.relpath(path, folder).split('/')[0]
        is_left = not amounts.is_whole(path, view)
        if not is_left or amounts.is_read(path, view):
            attempt(name, 'read', lambda: check_size(path, name, is_left))
        if is_left:
            left.append(name)
            if path.lower().endswith(('.tif', '.tiff')):
                opened_only.append(path)
        if is_left or view in ('ome-zarr', 'plate.ome.zarr', 'source'):
            continue
        lower = path.lower()
        if lower.endswith(('.tif', '.tiff')):
            tiffs.append((path, name))
        elif lower.endswith('.png'):
            previews.append((path, name))
        elif lower.endswith('.npy'):
            npy(path, name)
        elif lower.endswith(('.csv', '.tsv')):
            table(path, name)
        elif lower.endswith('.mtx'):
            matrix(path, name)
        elif lower.endswith('.json'):
            attempt(name, 'json', lambda: json.load(open(path, encoding='utf-8')))
    for noted in pool.map(tiff, tiffs, chunksize=4):
        note_image(*noted)
    for noted in pool.map(png, previews[:: max(1, len(previews) // MOST_PREVIEWS)], chunksize=2):
        note_image(*noted)
    described = [path for path, _ in tiffs] + opened_only
    if described:
        attempt(folder, 'tiffinfo', lambda: tiff_readers.tiffinfo(described))
        opened['tiffinfo'] += len(described) - 1
    if amounts.images <= MOST_PLANES_BYTES and os.path.isdir(os.path.join(folder, 'plate.ome.zarr')):
        stores.plate_store(folder, MOUNT)
    for below, folders, _ in os.walk(os.path.join(folder, 'ome-zarr')):
        for store in [one for one in folders if one.endswith('.ome.zarr')]:
            folders.remove(store)
            name = os.path.relpath(os.path.join(below, store), os.path.join(folder, 'ome-zarr'))
            stores.image_store(folder, name[: -len('.ome.zarr')], MOUNT)


def is_part(folder):
    return any(view in os.listdir(folder) for view in VIEWS)


def parts():
    if is_part(MOUNT):
        return [MOUNT]
    folders = [os.path.join(MOUNT, name) for name in sorted(os.listdir(MOUNT)) if name != '.platefs']
    return [folder for folder in folders if os.path.isdir(folder)]


def compare_sources(folder):
    """What stands in source/ is what lies on the disk."""
    for path in walk(os.path.join(folder, 'source')):
        if os.path.relpath(path, MOUNT) in left:
            continue
        if is_same(path, on_disk(os.path.relpath(path, os.path.join(folder, 'source')))):
            opened['compared with the disk'] += 1
        else:
            problems.append(f'{path}: is no file of {SOURCE}')


def imagemagick():
    for dtype, files in for_imagemagick.items():
        for first in range(0, len(files), 32):
            batch = files[first : first + 32]
            try:
                whole = tiff_readers.imagemagick([path for path, *_ in batch], dtype)
            except RuntimeError as error:
                problems.append(f'ImageMagick: {error}')
                continue
            for _, name, wanted, size in batch:
                part, whole = whole[:size], whole[size:]
                if hashlib.sha256(part).hexdigest() == wanted:
                    opened['ImageMagick'] += 1
                else:
                    problems.append(f'{name}: ImageMagick sees other pixels')


def report():
    with ProcessPoolExecutor(2) as pool:
        for folder in parts():
            part_of(folder, pool)
            compare_sources(folder)
    imagemagick()
    files = sum(1 for _ in walk(MOUNT))
    found = {'files': files, 'opened': dict(opened), 'left': left, 'sums': sums, 'kinds': kinds, 'problems': problems}
    print(json.dumps(found), flush=True)


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        MOUNT, SOURCE = line.rstrip('\n').split('\t')
        DISK = [os.path.join(below, name) for below, _, names in os.walk(SOURCE) for name in names] or [SOURCE]
        try:
            report()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if status != 0:
        print(json.dumps({'problems': [f'the reader ended with {status}: see standard error']}), flush=True)
