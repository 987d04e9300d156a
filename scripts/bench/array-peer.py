"""
What programs in Python do with arrays, and the arrays they do it with. Times itself, so that its own start does not
count. Needs Debian's python3-zarr and python3-h5py.

  array-peer.py make FOLDER PLANES SIDE   writes plain.zarr, blosc.zarr, plain.h5, gzip.h5 and gzip-shuffle.h5
  array-peer.py sparse FILE PLANES SIDE   writes a contiguous HDF5 file of holes, of which the last pixel is 7
  array-peer.py read PATH                 reads an array plane by plane, prints the seconds that took
"""
import sys
import time

import numpy

PIECES = 4
TILE = 512


def cells(rng, side):
    """Blobs on a background, with the noise of a camera."""
    y, x = numpy.mgrid[0:side, 0:side]
    light = numpy.full((side, side), 200.0)
    for row, column in rng.integers(0, side, (40, 2)):
        near = slice(max(0, row - 100), row + 100), slice(max(0, column - 100), column + 100)
        light[near] += 3000 * numpy.exp(-((y[near] - row) ** 2 + (x[near] - column) ** 2) / 800)
    return rng.poisson(light).astype("<u2")


def make_zarr(path, planes, count, compressor):
    import zarr

    store = zarr.open_group(path, mode="w")
    image = store.create_group("cells")
    side = planes[0].shape[0]
    array = image.create_dataset(
        "0",
        shape=(1, 1, count, side, side),
        chunks=(1, 1, 1, side, side),
        dtype="<u2",
        compressor=compressor,
        dimension_separator="/",
    )
    for z in range(count):
        array[0, 0, z] = planes[z % PIECES]
    space = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}, *space]
    scale = {"type": "scale", "scale": [1, 1, 1, 0.5, 0.5]}
    datasets = [{"path": "0", "coordinateTransformations": [scale]}]
    image.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]


def make_hdf5(path, planes, count, **options):
    import h5py

    side = planes[0].shape[0]
    with h5py.File(path, "w") as file:
        array = file.create_dataset("cells", (count, side, side), "<u2", **options)
        for z in range(count):
            if z < PIECES or array.chunks is None:
                array[z] = planes[z % PIECES]
                continue
            # Compressed once is enough.
            for row in range(0, side, TILE):
                for column in range(0, side, TILE):
                    mask, chunk = array.id.read_direct_chunk((z % PIECES, row, column))
                    array.id.write_direct_chunk((z, row, column), chunk, mask)


def make(folder, count, side):
    import numcodecs

    rng = numpy.random.default_rng(1)
    planes = [cells(rng, side) for _ in range(PIECES)]
    make_zarr(f"{folder}/plain.zarr", planes, count, None)
    blosc = numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE)
    make_zarr(f"{folder}/blosc.zarr", planes, count, blosc)
    make_hdf5(f"{folder}/plain.h5", planes, count)
    gzip = {"chunks": (1, TILE, TILE), "compression": "gzip"}
    make_hdf5(f"{folder}/gzip.h5", planes, count, **gzip)
    make_hdf5(f"{folder}/gzip-shuffle.h5", planes, count, shuffle=True, **gzip)


def planes_of(path):
    if path.endswith(".zarr"):
        import zarr

        array = zarr.open(path, mode="r")["cells/0"]
        return array.shape[2], lambda z: array[0, 0, z]
    import h5py

    array = h5py.File(path, "r")["cells"]
    return array.shape[0], lambda z: array[z]


def read(path):
    count, plane = planes_of(path)
    plane(0)
    start = time.perf_counter()
    for z in range(count):
        plane(z)
    return time.perf_counter() - start


def make_sparse(path, count, side):
    import h5py

    with h5py.File(path, "w") as file:
        array = file.create_dataset("cells", (count, side, side), "<u2")
        array[count - 1, side - 1, side - 1] = 7


command, path, *rest = sys.argv[1:]
if command == "make":
    make(path, *map(int, rest))
elif command == "sparse":
    make_sparse(path, *map(int, rest))
else:
    print(read(path))
