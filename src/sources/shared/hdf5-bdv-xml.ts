import { closeSync, fstatSync, openSync } from 'node:fs';
import { BadMetadataError } from '../../core/errors.ts';
import { readFully } from '../../core/io.ts';
import { inMicrometres } from '../../ome/ome-units.ts';
import { XmlFault } from '../../xml/xml-fault.ts';
import { type XmlHandler, XmlScanner } from '../../xml/xml-scanner.ts';

/** One view setup of a BigDataViewer dataset, as `SpimData/SequenceDescription/ViewSetups` describes it. */
export interface BdvSetup {
  readonly id: number;
  readonly name?: string;
  readonly channel?: string;
  readonly voxelSizeUm?: { readonly x: number; readonly y: number; readonly z: number };
}

const MAX_XML_BYTES = 64 * 1024 * 1024;

/** Units that BigDataViewer's own exporters write, beside those of OME. */
const UNITS: Readonly<Record<string, string>> = {
  micron: 'µm',
  microns: 'µm',
  micrometer: 'µm',
  micrometers: 'µm',
};

interface Draft {
  id?: number;
  name?: string;
  unit?: string;
  size?: readonly number[];
  channel?: string;
}

/** Collects view setups, and names of channels, from SpimData 0.2. */
class SetupCollector implements XmlHandler {
  readonly drafts: Draft[] = [];
  readonly channelNames = new Map<string, string>();
  readonly #path: string[] = [];
  #attributes = '';
  #channelId = '';

  start(element: { readonly name: string; attribute(name: string): string | undefined }): 'text' | 'skip' {
    if (element.name === 'ViewRegistrations') return 'skip';
    this.#path.push(element.name);
    if (element.name === 'ViewSetup') this.drafts.push({});
    if (element.name === 'Attributes') this.#attributes = element.attribute('name') ?? '';
    return 'text';
  }

  end(name: string, text: string): void {
    if (this.#path.at(-1) !== name) return;
    this.#path.pop();
    const value = text.trim();
    const parent = this.#path.at(-1);
    const draft = this.drafts.at(-1);
    if (parent === 'ViewSetup' && draft !== undefined) {
      if (name === 'id') draft.id = Number(value);
      if (name === 'name') draft.name = value;
    } else if (parent === 'voxelSize' && draft !== undefined) {
      if (name === 'unit') draft.unit = value;
      if (name === 'size') draft.size = value.split(/\s+/).map(Number);
    } else if (parent === 'attributes' && name === 'channel' && draft !== undefined) draft.channel = value;
    else if (parent === 'Channel' && this.#attributes === 'channel') {
      if (name === 'id') this.#channelId = value;
      if (name === 'name') this.channelNames.set(this.#channelId, value);
    }
  }
}

/**
 * View setups of the XML beside a BigDataViewer HDF5 file (SpimData, found in exports of BigDataViewer, BigStitcher
 * and Fiji). A voxel size in pixels is none. @throws BadMetadataError naming the file; the system's error
 */
export function readBdvSetups(path: string): BdvSetup[] {
  const collector = new SetupCollector();
  const bytes = readWhole(path);
  try {
    const scanner = new XmlScanner(collector);
    scanner.write(bytes);
    scanner.end();
  } catch (error) {
    if (error instanceof XmlFault) throw new BadMetadataError(path, error.message, { cause: error });
    throw error;
  }
  return collector.drafts.flatMap((draft): BdvSetup[] => {
    const { id, name, channel } = draft;
    if (id === undefined || !Number.isSafeInteger(id)) return [];
    const voxelSizeUm = sizeOf(draft);
    const channelName = channel === undefined ? undefined : collector.channelNames.get(channel);
    return [
      {
        id,
        ...(name ? { name } : {}),
        ...(channelName ? { channel: channelName } : {}),
        ...(voxelSizeUm === undefined ? {} : { voxelSizeUm }),
      },
    ];
  });
}

function sizeOf({ unit = '', size }: Draft): BdvSetup['voxelSizeUm'] {
  const [x, y, z] = (size ?? []).map((value) => inMicrometres(value, UNITS[unit.toLowerCase()] ?? unit));
  const isSize = (value: number | undefined): value is number =>
    value !== undefined && Number.isFinite(value) && value > 0;
  return isSize(x) && isSize(y) && isSize(z) ? { x, y, z } : undefined;
}

function readWhole(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    if (size > MAX_XML_BYTES) throw new BadMetadataError(path, `is larger than ${MAX_XML_BYTES} bytes`);
    const bytes = Buffer.allocUnsafe(size);
    return bytes.subarray(0, readFully(fd, bytes, 0));
  } finally {
    closeSync(fd);
  }
}
