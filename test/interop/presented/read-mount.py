"""Opens every file of a mount with every program that can hold it.

Arguments: the mountpoint, and the source as it lies on disk. Prints JSON:
  files     how many files there are
  opened    by reader: how many files it opened and read whole
  sums      by path: checksums of what stands in a file (TIFF, NPY, tables), each in every form that truth files use
  left      those that are read in three places only: some of many large ones
  problems  what differs between readers, between the forms of one image, or between st_size and what is read
"""
import collections
import csv
import hashlib
import json
import os
import re
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy
import scipy.io
import zarr

sys.path.insert(0, os.path.dirname(__file__))
import tiff_readers

warnings.simplefilter('ignore')
csv.field_size_limit(1 << 28)
MOUNT, SOURCE = sys.argv[1:3]
# Larger files are read in three places.
WHOLE_BYTES = 256 << 20
# Of files that large only so many of one kind are read whole.
LARGE_BYTES = 2 << 20
MOST_LARGE = 3
# Planes that are kept to be compared with the plate's OME-Zarr and stacks.
MOST_PLANES_BYTES = 128 << 20
VIEWS = ('images', 'stacks', 'arrays', 'tables', 'source', 'ome-zarr', 'plate.ome.zarr')
PLANE = re.compile(r'(.+)_s(\d+)_w(\d+)_z(\d+)_t(\d+)\.[^.]+$')

DISK = [os.path.join(below, name) for below, _, names in os.walk(SOURCE) for name in names] or [SOURCE]

opened = collections.Counter()
problems = []
left = []
sums = collections.defaultdict(list)
# By dtype: path, name, checksum and size of the pixels.
for_imagemagick = collections.defaultdict(list)


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


def check_size(path, name, is_left):
    size = os.stat(path).st_size
    with open(path, 'rb') as file:
        if is_left or size > WHOLE_BYTES:
            for at in (0, size // 2, size - 4096):
                file.seek(at)
                if len(file.read(4096)) != 4096:
                    problems.append(f'{name}: no bytes at {at} of {size}')
            file.seek(size)
            seen = size + len(file.read(1))
        else:
            seen = 0
            while part := file.read(1 << 20):
                seen += len(part)
    if seen != size:
        problems.append(f'{name}: st_size is {size}, read {seen}')


def walk(folder):
    for below, folders, names in os.walk(folder):
        folders.sort()
        if '.platefs' in folders:
            folders.remove('.platefs')
        for name in sorted(names):
            yield os.path.join(below, name)


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
    facts = None if base is None else (digest(base), base.dtype.name, base.nbytes, max(base.shape[1:]))
    return one, agree, told, facts


def note_tiff(one, agree, told, facts):
    path, name = one
    opened.update(agree)
    problems.extend(told)
    if facts is None:
        return
    checksum, dtype, size, side = facts
    sums[name].append(checksum)
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
    try:
        import pandas
    except ImportError:
        return
    frame = attempt(name, 'pandas', lambda: pandas.read_csv(path, sep=delimiter, dtype=str, keep_default_na=False))
    if frame is not None and (len(frame) != len(rows) - 1 or len(frame.columns) != len(rows[0])):
        problems.append(f'{name}: pandas sees {frame.shape}, csv {len(rows) - 1} rows of {len(rows[0])}')


def matrix(path, name):
    sparse = attempt(name, 'scipy', lambda: scipy.io.mmread(path))
    if sparse is not None and numpy.prod(sparse.shape) < 1 << 26:
        sums[name].append(digest(sparse.toarray().astype('f8')))


def level_of(store):
    group = zarr.open_group(store, 'r')
    names = [dataset['path'] for dataset in group.attrs['multiscales'][0]['datasets']]
    return [group[name][:] for name in names]


def image_store(part, name):
    """The stacks, the array and the OME-Zarr of an image are the same pixels."""
    store = os.path.join(part, 'ome-zarr', name + '.ome.zarr')
    levels = attempt(store, 'zarr', lambda: level_of(store))
    if levels is None:
        return
    place = os.path.relpath(store, MOUNT)
    for number, level in enumerate(levels):
        sums[f'{place}/{number}'] += sorted({digest(level), digest(level[0, 0])})
    for extension in ('.tif', '.ome.tif'):
        path = os.path.join(part, 'stacks', name + extension)
        if os.path.exists(path):
            stack = attempt(path, 'tifffile axes', lambda: tiff_readers.tczyx(path))
            if stack is not None and not (
                stack.shape == levels[0].shape
                and numpy.array_equal(stack, levels[0], equal_nan=stack.dtype.kind == 'f')
            ):
                problems.append(f'{path}: {stack.shape} other than its OME-Zarr {levels[0].shape}')
    path = os.path.join(part, 'arrays', name + '.npy')
    if os.path.exists(path):
        array = numpy.load(path)
        forms = [array, numpy.moveaxis(array, -1, 0)]
        if not any(
            form.size == levels[0].size
            and numpy.array_equal(form.reshape(levels[0].shape), levels[0], equal_nan=array.dtype.kind == 'f')
            for form in forms
        ):
            problems.append(f'{path}: other than its OME-Zarr')


def plate_store(part):
    """Every plane of every well stands in the plate's OME-Zarr, and in both stacks of its field."""
    images = os.path.join(part, 'images')
    planes = collections.defaultdict(dict)
    for path in walk(images):
        match = PLANE.match(os.path.basename(path))
        if match:
            well, *place = match.groups()
            site, channel, z, t = map(int, place)
            pages, _ = tiff_readers.read_all(path, False)
            planes[well, site][channel, z, t] = next(iter(pages.values()))[0] if pages else None
    places = [place for field in planes.values() for place in field]
    axis = lambda at, kind: sorted({place[at] for place in places if (place[1] == 0) == kind})
    times = sorted({t for _, _, t in places})
    root = zarr.open_group(os.path.join(part, 'plate.ome.zarr'), 'r')
    found = 0
    for well in root.attrs['plate']['wells']:
        row, column = well['path'].split('/')
        for listed in root[well['path']].attrs['well']['images']:
            is_projection = listed.get('acquisition') == 1
            field = planes[row + column.zfill(2), int(listed['path'].lstrip('p')) + 1]
            name = f"plate.ome.zarr/{well['path']}/{listed['path']}"
            level = attempt(name, 'zarr', lambda: level_of(os.path.join(part, name)))
            channels, zs = axis(0, is_projection), [0] if is_projection else axis(1, False)
            if level is None:
                continue
            if level[0].shape[:3] != (len(times), len(channels), len(zs)):
                problems.append(f'{name}: shape {level[0].shape}')
                continue
            for t, c, z in numpy.ndindex(*level[0].shape[:3]):
                wanted = field.get((channels[c], zs[z], times[t]))
                found += wanted is not None
                seen = level[0][t, c, z]
                if not (numpy.array_equal(seen, wanted) if wanted is not None else not seen.any()):
                    problems.append(f'{name}: plane {t}/{c}/{z} is another than in images/')
    if found != len(places):
        problems.append(f'plate.ome.zarr holds {found} of {len(places)} planes')
    for path in walk(os.path.join(part, 'stacks')):
        name = os.path.relpath(path, MOUNT)
        stack = attempt(name, 'tifffile axes', lambda: tiff_readers.tczyx(path))
        well, site, kind = re.match(r'(.+)_s(\d+)(_z000)?\.', os.path.basename(path)).groups()
        if stack is None:
            continue
        field = planes[well, int(site)]
        is_projection = kind is not None or all(z == 0 for _, z, _ in places)
        channels, zs = axis(0, is_projection), [0] if is_projection else axis(1, False)
        if stack.shape[:3] != (len(times), len(channels), len(zs)):
            problems.append(f'{name}: shape {stack.shape}')
            continue
        for t, c, z in numpy.ndindex(*stack.shape[:3]):
            wanted = field.get((channels[c], zs[z], times[t]))
            if not (numpy.array_equal(stack[t, c, z], wanted) if wanted is not None else not stack[t, c, z].any()):
                problems.append(f'{name}: plane {t}/{c}/{z} is another than in images/')


def is_one_of_many(path, view, counts=collections.Counter()):
    """Whether enough files of its kind were read whole, and it is large."""
    if os.stat(path).st_size <= LARGE_BYTES:
        return False
    kind = view, os.path.splitext(path)[1]
    counts[kind] += 1
    return counts[kind] > MOST_LARGE


def part_of(folder, pool):
    tiffs = []
    for path in walk(folder):
        name = os.path.relpath(path, MOUNT)
        view = os.path.relpath(path, folder).split('/')[0]
        is_left = is_one_of_many(path, view)
        attempt(name, 'read', lambda: check_size(path, name, is_left))
        if is_left:
            left.append(name)
        if is_left or view in ('ome-zarr', 'plate.ome.zarr', 'source'):
            continue
        lower = path.lower()
        if lower.endswith(('.tif', '.tiff')):
            tiffs.append((path, name))
        elif lower.endswith('.npy'):
            npy(path, name)
        elif lower.endswith(('.csv', '.tsv')):
            table(path, name)
        elif lower.endswith('.mtx'):
            matrix(path, name)
        elif lower.endswith('.json'):
            attempt(name, 'json', lambda: json.load(open(path, encoding='utf-8')))
    for noted in pool.map(tiff, tiffs, chunksize=4):
        note_tiff(*noted)
    if tiffs:
        attempt(folder, 'tiffinfo', lambda: tiff_readers.tiffinfo([path for path, _ in tiffs]))
        opened['tiffinfo'] += len(tiffs) - 1
    is_small = sum(os.stat(path).st_size for path in walk(os.path.join(folder, 'images'))) <= MOST_PLANES_BYTES
    if is_small and os.path.isdir(os.path.join(folder, 'plate.ome.zarr')):
        plate_store(folder)
    for below, folders, _ in os.walk(os.path.join(folder, 'ome-zarr')):
        for store in [one for one in folders if one.endswith('.ome.zarr')]:
            folders.remove(store)
            image_store(folder, os.path.relpath(os.path.join(below, store), os.path.join(folder, 'ome-zarr'))[:-len('.ome.zarr')])


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


with ProcessPoolExecutor(2) as pool:
    for folder in parts():
        part_of(folder, pool)
        compare_sources(folder)
imagemagick()
files = sum(1 for _ in walk(MOUNT))
print(json.dumps({'files': files, 'opened': dict(opened), 'left': left, 'sums': sums, 'problems': problems}))
