// Written by scripts/gen-registry.ts from the plugin folders; do not edit.
import type { PluginEntry } from './core/plugin.ts';
import type { SourceDriver } from './sources.ts';
import type { Encoder, TableEncoder, SparseEncoder } from './encoders.ts';
import type { FormatHandler } from './formats.ts';
import type { Hook } from './hooks.ts';
import type { ComputeDevice } from './devices.ts';

export const SOURCES: readonly PluginEntry<SourceDriver>[] = [
  { id: 'anndata', load: async () => (await import('./sources/anndata.ts')).default },
  { id: 'hdf5', load: async () => (await import('./sources/hdf5.ts')).default },
  { id: 'tiff', load: async () => (await import('./sources/tiff.ts')).default },
  { id: 'zarr', load: async () => (await import('./sources/zarr.ts')).default },
];

export const ENCODERS: readonly PluginEntry<Encoder>[] = [
  { id: 'baseline-tiff', load: async () => (await import('./encoders/baseline-tiff.ts')).default },
  { id: 'imagej-tiff', load: async () => (await import('./encoders/imagej-tiff.ts')).default },
  { id: 'npy', load: async () => (await import('./encoders/npy.ts')).default },
  { id: 'ome-tiff', load: async () => (await import('./encoders/ome-tiff.ts')).default },
  { id: 'png', load: async () => (await import('./encoders/png.ts')).default },
  { id: 'tiff', load: async () => (await import('./encoders/tiff.ts')).default },
];

export const TABLE_ENCODERS: readonly PluginEntry<TableEncoder>[] = [
  { id: 'csv', load: async () => (await import('./encoders/csv.ts')).default },
  { id: 'tsv', load: async () => (await import('./encoders/tsv.ts')).default },
];

export const SPARSE_ENCODERS: readonly PluginEntry<SparseEncoder>[] = [
  { id: 'mtx', load: async () => (await import('./encoders/mtx.ts')).default },
];

export const FORMATS: readonly PluginEntry<FormatHandler>[] = [
  { id: 'bd-pathway', load: async () => (await import('./formats/bd-pathway.ts')).default },
  { id: 'cellomics', load: async () => (await import('./formats/cellomics.ts')).default },
  { id: 'cellvoyager', load: async () => (await import('./formats/cellvoyager.ts')).default },
  { id: 'generic', load: async () => (await import('./formats/generic.ts')).default },
  { id: 'harmony', load: async () => (await import('./formats/harmony.ts')).default },
  { id: 'imagexpress-hcsai', load: async () => (await import('./formats/imagexpress-hcsai.ts')).default },
  { id: 'imagexpress', load: async () => (await import('./formats/imagexpress.ts')).default },
  { id: 'incell', load: async () => (await import('./formats/incell.ts')).default },
  { id: 'incucyte', load: async () => (await import('./formats/incucyte.ts')).default },
  { id: 'leica-matrix', load: async () => (await import('./formats/leica-matrix.ts')).default },
  { id: 'micro-manager', load: async () => (await import('./formats/micro-manager.ts')).default },
  { id: 'ome-tiff', load: async () => (await import('./formats/ome-tiff.ts')).default },
  { id: 'ome-zarr', load: async () => (await import('./formats/ome-zarr.ts')).default },
  { id: 'openhcs', load: async () => (await import('./formats/openhcs.ts')).default },
  { id: 'plain-files', load: async () => (await import('./formats/plain-files.ts')).default },
  { id: 'scanr', load: async () => (await import('./formats/scanr.ts')).default },
];

export const HOOKS: readonly PluginEntry<Hook>[] = [
  { id: 'binary-closing', load: async () => (await import('./hooks/binary-closing.ts')).default },
  { id: 'binary-dilation', load: async () => (await import('./hooks/binary-dilation.ts')).default },
  { id: 'binary-erosion', load: async () => (await import('./hooks/binary-erosion.ts')).default },
  { id: 'binary-opening', load: async () => (await import('./hooks/binary-opening.ts')).default },
  { id: 'gaussian', load: async () => (await import('./hooks/gaussian.ts')).default },
  { id: 'label', load: async () => (await import('./hooks/label.ts')).default },
  { id: 'measure', load: async () => (await import('./hooks/measure.ts')).default },
  { id: 'median', load: async () => (await import('./hooks/median.ts')).default },
  { id: 'otsu', load: async () => (await import('./hooks/otsu.ts')).default },
  { id: 'threshold', load: async () => (await import('./hooks/threshold.ts')).default },
];

export const DEVICES: readonly PluginEntry<ComputeDevice>[] = [
  { id: 'cpu', load: async () => (await import('./devices/cpu.ts')).default },
];
