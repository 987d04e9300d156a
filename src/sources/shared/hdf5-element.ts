import type { Dtype } from '../../core/nd-array.ts';
import type { LibraryType } from './hdf5-library.ts';
import type { CompoundField, ElementType, EnumName } from './hierarchy.ts';

/** Classes of datatypes (HDF5 File Format Specification 3.0, IV.A.2.d). */
export const TYPE_CLASS = {
  integer: 0,
  float: 1,
  time: 2,
  text: 3,
  bits: 4,
  opaque: 5,
  compound: 6,
  reference: 7,
  enumeration: 8,
  vlen: 9,
  array: 10,
} as const;

const INTEGERS: Readonly<Record<number, readonly [unsigned: Dtype, signed: Dtype]>> = {
  1: ['uint8', 'int8'],
  2: ['uint16', 'int16'],
  4: ['uint32', 'int32'],
  8: ['uint64', 'int64'],
};
const FLOATS: Readonly<Record<number, Dtype>> = { 2: 'float16', 4: 'float32', 8: 'float64' };

/** The dtype of a number or of an enumeration's number, undefined when none fits. */
export function numberDtype(type: LibraryType): Dtype | undefined {
  const typeClass = type.type === TYPE_CLASS.enumeration ? type.enum_type?.type : type.type;
  if (typeClass === TYPE_CLASS.integer) return INTEGERS[type.size]?.[type.signed ? 1 : 0];
  if (typeClass === TYPE_CLASS.float) return FLOATS[type.size];
  return undefined;
}

/** h5py writes booleans as an enumeration of FALSE and TRUE. */
export function isBoolean(type: LibraryType): boolean {
  const members = type.enum_type?.members;
  return (
    type.size === 1 &&
    members !== undefined &&
    members.FALSE === 0 &&
    members.TRUE === 1 &&
    Object.keys(members).length === 2
  );
}

function enumNames(type: LibraryType, dtype: Dtype): EnumName[] {
  const isBig = dtype === 'int64' || dtype === 'uint64';
  return Object.entries(type.enum_type?.members ?? {}).map(([name, value]) => ({
    name,
    value: isBig ? BigInt(value) : value,
  }));
}

/** A type without the axes that an array type adds, and those axes. */
export function unwrapArray(type: LibraryType): {
  readonly base: LibraryType;
  readonly extents: readonly number[];
} {
  const extents: number[] = [];
  let base = type;
  while (base.type === TYPE_CLASS.array && base.array_type !== undefined) {
    extents.push(...base.array_type.shape);
    base = base.array_type;
  }
  return { base, extents };
}

/** What an element is; array types must be unwrapped. References and lists of varying length are told as text. */
export function elementType(type: LibraryType): ElementType {
  switch (type.type) {
    case TYPE_CLASS.integer:
    case TYPE_CLASS.float: {
      const dtype = numberDtype(type);
      const name = type.type === TYPE_CLASS.float ? 'floating-point numbers' : 'integers';
      return dtype === undefined
        ? { kind: 'other', name: `${name} of ${type.size} bytes` }
        : { kind: 'number', dtype };
    }
    case TYPE_CLASS.enumeration: {
      if (isBoolean(type)) return { kind: 'boolean' };
      const dtype = numberDtype(type);
      return dtype === undefined
        ? { kind: 'other', name: `enumeration of ${type.size} bytes` }
        : { kind: 'enum', dtype, names: enumNames(type, dtype) };
    }
    case TYPE_CLASS.text:
      return { kind: 'text' };
    case TYPE_CLASS.reference:
      return type.ref_type === 'object' ? { kind: 'text' } : { kind: 'other', name: 'region reference' };
    case TYPE_CLASS.vlen:
      return { kind: 'text' };
    case TYPE_CLASS.compound:
      return { kind: 'compound', fields: (type.compound_type?.members ?? []).map(compoundField) };
    case TYPE_CLASS.opaque:
      return { kind: 'other', name: `opaque of ${type.size} bytes` };
    case TYPE_CLASS.bits:
      return { kind: 'other', name: `bit field of ${type.size} bytes` };
    default:
      return { kind: 'other', name: `type class ${type.type}` };
  }
}

function compoundField(member: LibraryType & { readonly name: string }): CompoundField {
  const { base, extents } = unwrapArray(member);
  const type = elementType(base);
  return extents.length === 0 ? { name: member.name, type } : { name: member.name, type, shape: extents };
}
