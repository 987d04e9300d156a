"""The stores and stacks of a folder of the mount hold the same pixels as its planes and arrays."""
import collections
import os
import re

import numpy
import tiff_readers
import zarr
from findings import attempt, digest, problems, sums, walk

PLANE = re.compile(r'(.+)_s(\d+)_w(\d+)_z(\d+)_t(\d+)\.[^.]+$')


def level_of(store):
    group = zarr.open_group(store, 'r')
    names = [dataset['path'] for dataset in group.attrs['multiscales'][0]['datasets']]
    return [group[name][:] for name in names]


def image_store(part, name, mount):
    """The stacks, the array and the OME-Zarr of an image are the same pixels."""
    store = os.path.join(part, 'ome-zarr', name + '.ome.zarr')
    levels = attempt(store, 'zarr', lambda: level_of(store))
    if levels is None:
        return
    place = os.path.relpath(store, mount)
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


def plate_store(part, mount):
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
            sums[f'{os.path.relpath(part, mount)}/{name}'.removeprefix('./')].append(digest(level[0]))
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
        name = os.path.relpath(path, mount)
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
