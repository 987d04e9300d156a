// For every file of a list: size, calibration, and each plane's weighted sum, opened whole and as a virtual stack.
list = split(File.openAsString(getArgument()), "\n");
for (f = 0; f < list.length; f++) {
  for (virtual = 0; virtual < 2; virtual++) {
    if (virtual) run("TIFF Virtual Stack...", "open=[" + list[f] + "]");
    else open(list[f]);
    getDimensions(w, h, c, z, t);
    getVoxelSize(vw, vh, vd, unit);
    print("SIZE", f, virtual, w, h, c, z, t, vw, vh, vd, unit, Stack.getFrameInterval());
    for (i = 1; i <= nSlices; i++) {
      setSlice(i);
      s = 0;
      for (y = 0; y < h; y++) for (x = 0; x < w; x++) s += calibrate(getPixel(x, y)) * (1 + x + y * w);
      print("PLANE", f, virtual, i, d2s(s, 0), getInfo("slice.label"));
    }
    close();
  }
}
print("DONE");
