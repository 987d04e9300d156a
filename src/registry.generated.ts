// Written by scripts/gen-registry.ts from the plugin folders; do not edit.
import type { PluginEntry } from './core/plugin.ts';
import type { SourceDriver } from './sources.ts';
import type { ImageEncoder } from './encoders.ts';
import type { FormatHandler } from './formats.ts';
import type { Hook } from './hooks.ts';
import type { ComputeDevice } from './devices.ts';

export const SOURCES: readonly PluginEntry<SourceDriver>[] = [
  { id: 'tiff', load: async () => (await import('./sources/tiff.ts')).default },
];

export const ENCODERS: readonly PluginEntry<ImageEncoder>[] = [
  { id: 'ome-tiff', load: async () => (await import('./encoders/ome-tiff.ts')).default },
  { id: 'tiff', load: async () => (await import('./encoders/tiff.ts')).default },
];

export const FORMATS: readonly PluginEntry<FormatHandler>[] = [
];

export const HOOKS: readonly PluginEntry<Hook>[] = [
];

export const DEVICES: readonly PluginEntry<ComputeDevice>[] = [
];
