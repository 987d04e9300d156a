/** What the name of a single image says; numbers from 0. */
export interface MmImageName {
  /** Its number, or its name in the names of 1.4. */
  readonly channel: number | string;
  readonly z: number;
  readonly t: number;
  readonly position?: number;
}

/** `img_000000000_DAPI_000.tif`: time, channel, slice (https://micro-manager.org/Micro-Manager_File_Formats). */
const OLD = /^img_(\d{9})_(.*)_(\d{3,9})\.tiff?$/i;
/** `img_channel000_position000_time000000000_z000.tif`, axes in any order, absent where there is but one value. */
const NEW = /^img((?:_(?:channel|position|time|z)\d{1,9})+)\.tiff?$/i;

/** Reads the name of an image that Micro-Manager saved as a file of its own, or undefined. */
export function parseMmImageName(name: string): MmImageName | undefined {
  const axes = NEW.exec(name)?.[1];
  if (axes !== undefined) {
    const values = new Map<string, number>();
    for (const [, axis = '', digits = ''] of axes.matchAll(/_([a-z]+)(\d+)/gi))
      values.set(axis.toLowerCase(), Number(digits));
    const position = values.get('position');
    return {
      channel: values.get('channel') ?? 0,
      z: values.get('z') ?? 0,
      t: values.get('time') ?? 0,
      ...(position === undefined ? {} : { position }),
    };
  }
  const [, time, channel = '', slice] = OLD.exec(name) ?? [];
  return time === undefined ? undefined : { channel, z: Number(slice), t: Number(time) };
}
