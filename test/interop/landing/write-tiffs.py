"""Writes TIFFs of many kinds with tifffile: argv[1] is the folder. Prints one JSON object: name -> what it is."""
import json
import shutil
import subprocess
import sys

import numpy
import tifffile

folder = sys.argv[1]
rng = numpy.random.default_rng(7)
kinds = {}


def image(shape, dtype):
    if numpy.dtype(dtype).kind == 'f':
        return rng.normal(0, 100, shape).astype(dtype)
    info = numpy.iinfo(dtype)
    return rng.integers(max(info.min, -1000), min(info.max, 4000), shape).astype(dtype)


def write(name, data, expect, **options):
    tifffile.imwrite(f'{folder}/{name}', data, **options)
    numpy.save(f'{folder}/{name}.npy', data)
    kinds[name] = expect


for dtype in 'u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8'.split():
    write(f'plain_{dtype}.tif', image((61, 83), dtype), 'reassembled')
write('big_endian.tif', image((40, 50), 'u2'), 'reassembled', byteorder='>')
write('big_endian_f4.tif', image((40, 50), 'f4'), 'reassembled', byteorder='>', rowsperstrip=7)
write('strips.tif', image((100, 70), 'u2'), 'reassembled', rowsperstrip=9)
write('tiled.tif', image((100, 150), 'u2'), 'reassembled', tile=(32, 48))
write('bigtiff.tif', image((60, 50), 'u2'), 'reassembled', bigtiff=True)
write('pages.tif', image((5, 60, 50), 'u2'), 'reassembled', photometric='minisblack')
write('separate.tif', image((3, 60, 50), 'u1'), 'reassembled', photometric='rgb', planarconfig='separate')
write('imagej.tif', image((2, 3, 4, 30, 40), 'u2'), 'reassembled', imagej=True, resolution=(2.0, 2.0),
      metadata={'axes': 'TZCYX', 'unit': 'um', 'spacing': 1.5, 'finterval': 3.0})
write('imagej_one_page.tif', image((2, 3, 4, 30, 40), 'u2'), 'reassembled', imagej=True, truncate=True,
      metadata={'axes': 'TZCYX'})
write('rgb.tif', image((30, 40, 3), 'u1'), 'verbatim', photometric='rgb')
write('deflate.tif', image((60, 50), 'u2'), 'verbatim', compression='zlib')
write('deflate_predictor.tif', image((60, 50), 'u2'), 'verbatim', compression='zlib', predictor=True)
write('deflate_tiled.tif', image((100, 90), 'u2'), 'verbatim', compression='zlib', tile=(32, 32))
write('deflate_pages.tif', image((4, 60, 50), 'u2'), 'verbatim', compression='zlib', photometric='minisblack')
memmapped = tifffile.memmap(f'{folder}/memmap.tif', shape=(64, 64), dtype='u2')
memmapped[10, 20] = 777
memmapped.flush()
numpy.save(f'{folder}/memmap.tif.npy', memmapped)
kinds['memmap.tif'] = 'reassembled'


def recompressed(name, source, *options):
    subprocess.run(['tiffcp', *options, f'{folder}/{source}', f'{folder}/{name}'], check=True)
    shutil.copy(f'{folder}/{source}.npy', f'{folder}/{name}.npy')
    kinds[name] = 'verbatim'


if shutil.which('tiffcp'):
    recompressed('lzw.tif', 'strips.tif', '-c', 'lzw')
    recompressed('lzw_predictor.tif', 'strips.tif', '-c', 'lzw:2')
    recompressed('lzw_big_endian.tif', 'strips.tif', '-c', 'lzw:2', '-B')
    recompressed('packbits.tif', 'strips.tif', '-c', 'packbits')
    recompressed('lzw_pages.tif', 'pages.tif', '-c', 'lzw')
    recompressed('rgb_lzw.tif', 'rgb.tif', '-c', 'lzw')
print(json.dumps(kinds))
