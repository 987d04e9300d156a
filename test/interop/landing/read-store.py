"""Reads stores with zarr-python, those of zarr v3 by zarr_v3.py. stdin: lines `array folder<TAB>npy<TAB>layout`; the
npy's planes in t, c, z order must be the array's. Arrays are read whole and plane by plane."""
import os
import sys

import numpy
import zarr

import zarr_v3

for line in sys.stdin.read().splitlines():
    path, npy, layout = line.split('\t')
    is_v3 = os.path.exists(os.path.join(path, 'zarr.json'))
    array = zarr_v3.read_array(path) if is_v3 else zarr.open_array(path, mode='r')
    truth = numpy.load(npy)
    if layout == 'rgb':
        truth = numpy.moveaxis(truth, -1, 0)[None, :, None]
    elif layout == 'separate':
        truth = truth[None, :, None]
    elif layout == 'tc':
        truth = truth.reshape((-1, 2, 1) + truth.shape[-2:])
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
