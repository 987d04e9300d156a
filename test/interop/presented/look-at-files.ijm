// For each line "mode<TAB>step<TAB>planes, by comma<TAB>path" of a list: the size, and of each of the planes the
// weighted sum of every step-th pixel. Mode 1 opens a virtual stack.
list = split(File.openAsString(getArgument()), "\n");
for (f = 0; f < list.length; f++) {
  cells = split(list[f], "\t");
  step = parseInt(cells[1]);
  planes = split(cells[2], ",");
  // Where it stops with a dialog, nothing else says at which file.
  print("OPEN", cells[0], cells[3]);
  if (cells[0] == "1") run("TIFF Virtual Stack...", "open=[" + cells[3] + "]");
  else open(cells[3]);
  if (nImages == 0) print("NOTHING", f);
  else {
    w = getWidth();
    h = getHeight();
    print("SIZE", f, w, h, nSlices, bitDepth());
    for (p = 0; p < planes.length; p++) {
      if (nSlices > 1) setSlice(parseInt(planes[p]));
      sum = 0;
      k = 0;
      for (i = 0; i < w * h; i += step) {
        sum += calibrate(getPixel(i % w, floor(i / w))) * (1 + k % 97);
        k++;
      }
      print("PLANE", f, planes[p], d2s(sum, -14));
    }
    while (nImages > 0) close();
  }
}
print("DONE");
