"""What ImageJ's macro `look-at-files.ijm` is to see in an image: weighted sums over some pixels of some planes."""
import numpy

# Planes and pixels that are looked at: a macro takes a microsecond for each.
MOST_PLANES = 4
MOST_PIXELS = 512


def looks(base):
    """
    Of pages, rows, columns and perhaps colours. Planes count from 1; of one, every so many-th pixel, as the macro
    takes them.
    """
    pages, height, width = base.shape[:3]
    places = sorted({round(place) for place in numpy.linspace(0, pages - 1, min(pages, MOST_PLANES))})
    step = max(1, height * width // MOST_PIXELS)
    planes = []
    for place in places:
        pixels = base[place].reshape(height * width, -1)[::step].astype('f8')
        if pixels.shape[1] >= 3:
            # As one number: red, green and blue, a byte each.
            pixels = pixels[:, :3] @ numpy.array([65536.0, 256.0, 1.0])
        pixels = pixels.ravel()
        weights = 1 + numpy.arange(len(pixels)) % 97
        scale = float(numpy.abs(pixels * weights).sum())
        planes.append([int(place) + 1, float((pixels * weights).sum()), scale])
    most = float(base.max()) if base.size and base.dtype.kind in 'ui' else 0.0
    return {'most': most, 'width': int(width), 'height': int(height), 'step': int(step), 'planes': [[n, *(v if numpy.isfinite(v) else None for v in values)] for n, *values in planes]}
