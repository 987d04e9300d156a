import { BadHdf5Error } from '../../core/errors.ts';
import { elementType, unwrapArray } from './hdf5-element.ts';
import type { Hdf5File } from './hdf5-file.ts';
import type { LibraryMetadata, LibraryModule } from './hdf5-library.ts';
import { holdsPointers } from './hdf5-library-read.ts';
import { valueContext } from './hdf5-read-values.ts';
import { valueAt } from './hdf5-values.ts';
import type { Attributes, AttributeValue, CompoundValue } from './hierarchy.ts';

/** Attributes are told as text: a larger one is data that somebody put in the wrong place. */
const MAX_ATTRIBUTE_BYTES = 4 * 1024 * 1024;

/** An attribute that has no value here. */
export interface LeftAttribute {
  readonly name: string;
  readonly reason: string;
}

/** All attributes of a node, and those that could not be told. @throws BadHdf5Error … */
export function readAttributes(
  file: Hdf5File,
  at: string,
): { readonly attributes: Attributes; readonly left: readonly LeftAttribute[] } {
  const names = file.library(at, (module, id) => module.get_attribute_names(id, at));
  const attributes: Record<string, AttributeValue> = {};
  const left: LeftAttribute[] = [];
  for (const name of names) {
    const value = tryAttribute(file, at, name);
    if (value instanceof Left) left.push({ name, reason: value.reason });
    // A name like `__proto__` is a name like any other.
    else
      Object.defineProperty(attributes, name, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return { attributes, left };
}

/** One attribute, undefined when there is none or it has no value here. @throws BadHdf5Error … */
export function attributeValue(file: Hdf5File, at: string, name: string): AttributeValue | undefined {
  const isThere = file.library(at, (module, id) => module.get_attribute_names(id, at)).includes(name);
  const value = isThere ? tryAttribute(file, at, name) : undefined;
  return value instanceof Left ? undefined : value;
}

class Left {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** One that is damaged hides no other. */
function tryAttribute(file: Hdf5File, at: string, name: string): AttributeValue | Left {
  try {
    return readAttribute(file, at, name);
  } catch (error) {
    if (error instanceof BadHdf5Error) return new Left(error.message);
    throw error;
  }
}

function readAttribute(file: Hdf5File, at: string, name: string): AttributeValue | Left {
  return file.library(`${at}@${name}`, (module, id) => {
    const metadata = module.get_attribute_metadata(id, at, name);
    const { base, extents } = unwrapArray(metadata);
    if (metadata.shape === null) return null;
    const type = elementType(base);
    if (type.kind === 'other') return new Left(type.name);
    const sizeBytes = metadata.size * metadata.total_size;
    if (!(sizeBytes <= MAX_ATTRIBUTE_BYTES)) return new Left(`${sizeBytes} bytes`);
    return readValue(file, module, id, { at, name, metadata, sizeBytes, extents });
  });
}

interface Wanted {
  readonly at: string;
  readonly name: string;
  readonly metadata: LibraryMetadata;
  readonly sizeBytes: number;
  readonly extents: readonly number[];
}

function readValue(file: Hdf5File, module: LibraryModule, id: bigint, wanted: Wanted): AttributeValue {
  const { at, name, metadata, sizeBytes, extents } = wanted;
  const pointer = module._malloc(Math.max(1, sizeBytes));
  if (pointer === 0) throw new Error(`no memory for ${sizeBytes} bytes`);
  let isRead = false;
  try {
    module.get_attribute_data(id, at, name, BigInt(pointer));
    isRead = true;
    const bytes = module.HEAPU8.slice(pointer, pointer + sizeBytes);
    const context = valueContext(file, module, metadata);
    const values: CompoundValue[] = [];
    for (let element = 0; element < metadata.total_size; element++) {
      const value = valueAt(bytes, element * metadata.size, metadata, context);
      if (extents.length > 0 && Array.isArray(value)) values.push(...value);
      else values.push(value);
    }
    const shape = [...(metadata.shape ?? []), ...extents];
    return shape.length === 0
      ? attributeOf(values[0] ?? null, metadata)
      : nested(
          values.map((value) => attributeOf(value, unwrapArray(metadata).base)),
          shape,
        );
  } finally {
    if (isRead && holdsPointers(metadata)) module.reclaim_vlen_memory(id, at, name, BigInt(pointer));
    module._free(pointer);
  }
}

/** A compound value is an object of its fields. */
function attributeOf(
  value: CompoundValue | null,
  type: Wanted['metadata'] | LibraryMetadata | ReturnType<typeof unwrapArray>['base'],
): AttributeValue {
  const members = type.compound_type?.members;
  if (members === undefined || !Array.isArray(value)) return value as AttributeValue;
  const fields: Record<string, AttributeValue> = {};
  members.forEach((member, index) => {
    const field = (value as readonly CompoundValue[])[index] ?? null;
    Object.defineProperty(fields, member.name, { value: attributeOf(field, member), enumerable: true });
  });
  return fields;
}

function nested(values: readonly AttributeValue[], shape: readonly number[]): AttributeValue {
  if (shape.length <= 1) return values;
  const [outer = 0, ...inner] = shape;
  const step = inner.reduce((product, extent) => product * extent, 1);
  return Array.from({ length: outer }, (_, index) =>
    nested(values.slice(index * step, (index + 1) * step), inner),
  );
}
