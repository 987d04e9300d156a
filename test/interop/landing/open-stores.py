"""Opens and reads every array of results.ome.zarr in each folder of stdin: with zarr-python, those of zarr v3 with
zarr_v3.py. Prints how many there were."""
import os
import sys

import zarr

import zarr_v3

count = 0
for folder in sys.stdin.read().splitlines():
    for path, _, files in os.walk(os.path.join(folder, 'results.ome.zarr')):
        if '.zarray' in files:
            zarr.open_array(path, mode='r')[:]
        elif os.path.basename(path).isdigit() and 'zarr.json' in files and '"array"' in open(os.path.join(path, 'zarr.json')).read():
            zarr_v3.read_array(path)
        else:
            continue
        count += 1
print(count, 'arrays')
