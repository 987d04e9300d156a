"""Reads a store with zarr-python. argv[1]: store; stdin: lines `array<TAB>npy`; the npy's planes in t, c, z order
must be the array's. Arrays are read whole and plane by plane."""
import sys

import numpy
import zarr

root = zarr.open_group(sys.argv[1], mode='r')
for line in sys.stdin.read().splitlines():
    path, npy, layout = line.split('\t')
    array = root[path]
    truth = numpy.load(npy)
    if layout == 'rgb':
        truth = numpy.moveaxis(truth, -1, 0)[None, :, None]
    elif layout == 'separate':
        truth = truth[None, :, None]
    elif layout == 'tzcyx':
        truth = numpy.swapaxes(truth, 1, 2)
    else:
        truth = truth.reshape((1, 1, -1) + truth.shape[-2:])
    assert array.shape == truth.shape, (path, array.shape, truth.shape)
    assert array.dtype == truth.dtype.newbyteorder('<'), (path, array.dtype, truth.dtype)
    assert numpy.array_equal(array[:], truth), path
    for index in numpy.ndindex(array.shape[:3]):
        assert numpy.array_equal(array[index], truth[index]), (path, index)
print('ok')
