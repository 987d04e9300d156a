import type { Dtype } from '../../core/nd-array.ts';
import type { Region } from '../../core/region.ts';

/**
 * A node of a tree of groups and arrays: its names from the root, joined with `/`, without a slash at either end.
 * The root is ''. Names are taken as they are, also `.`, `..` and empty ones: such a path just isn't there.
 */
export type NodePath = string;

/**
 * An attribute as plain data. Whole numbers of 64 bits are bigint, all others numbers; enumerations of false and true
 * (as h5py writes booleans) are boolean, other enumerations their numbers; complex numbers are not represented. An
 * array of one axis or more is a list (of lists), one without elements `[]`. An HDF5 object reference is the path of
 * what it points at.
 */
export type AttributeValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly AttributeValue[]
  | { readonly [name: string]: AttributeValue };

export type Attributes = Readonly<Record<string, AttributeValue>>;

/** What an element of an array is. */
export type ElementType =
  /** A number of its own type, read with `readRegion`. */
  | { readonly kind: 'number'; readonly dtype: Dtype }
  /** False or true: one byte, 0 or 1, read with `readRegion`. */
  | { readonly kind: 'boolean' }
  /** A whole number of `dtype` that has a name, read with `readRegion`. */
  | { readonly kind: 'enum'; readonly dtype: Dtype; readonly names: readonly EnumName[] }
  /** Text of fixed or variable length, read with `readText`. */
  | { readonly kind: 'text' }
  /** Named fields, read with `readCompound`. */
  | { readonly kind: 'compound'; readonly fields: readonly CompoundField[] }
  /** What can't be read, in words: `complex128`, `reference`, `opaque of 7 bytes`. */
  | { readonly kind: 'other'; readonly name: string };

export interface EnumName {
  readonly name: string;
  readonly value: number | bigint;
}

export interface CompoundField {
  readonly name: string;
  readonly type: ElementType;
  /** Extents of a field that is itself an array; absent for a single value. */
  readonly shape?: readonly number[];
}

/** A field's value: as `readRegion` or `readText` give one; a list, in C order, for a field that is an array. */
export type CompoundValue = number | bigint | boolean | string | readonly CompoundValue[];

/** What is known of an array before any element is read. */
export interface ArrayFacts {
  /** [] for a single value. Extents are as the file says them: check before memory is taken. */
  readonly shape: readonly number[];
  readonly type: ElementType;
  /** The smallest piece that is decoded at once; the shape where it can be read at any place. */
  readonly chunkShape: readonly number[];
  /** Why its elements can't be read, where that is known beforehand: `filter 32013 (zfp) is not known`. */
  readonly unreadable?: string;
}

export interface ChildNode {
  readonly name: string;
  readonly kind: 'group' | 'array';
}

export interface ChildList {
  /** In the order of their code points. What is neither (a named type, a link to nowhere) is left out. */
  readonly children: readonly ChildNode[];
  /** Whether there are more than were asked for. */
  readonly isCut: boolean;
}

/**
 * A tree of groups and arrays with attributes, as HDF5 files and Zarr stores have, held open by one thread; all calls
 * are synchronous. Every method throws an error of `core/errors.ts` that names the file, and the node in it:
 * UnreadableSourceError, BadHdf5Error, UnsupportedHdf5Error, BadZarrError, UnsupportedZarrError; SourceChangedError
 * where the file is not the one that was opened any more; SourceBusyError while it is being written. Links that lead
 * in a circle or out of the file's folder are no nodes. Disposing closes the file; nothing is locked before that
 * either.
 */
export interface Hierarchy extends Disposable {
  /** The file or folder, for errors. */
  readonly file: string;
  readonly format: 'hdf5' | 'zarr';
  /** Every local file that what was asked for so far lies in; absent where these are chunks by the thousand. */
  readonly openFiles?: readonly string[];
  /** Undefined when there is no such node. */
  kindOf(path: NodePath): 'group' | 'array' | undefined;
  /** At most `limit` nodes of a group. @throws what is said above when there is no such group. */
  children(path: NodePath, limit: number): ChildList;
  /** All attributes of a node; those that have no value as said at `AttributeValue` are left out. */
  attributes(path: NodePath): Attributes;
  /** @throws what is said above when there is no such array. */
  arrayFacts(path: NodePath): ArrayFacts;
  /**
   * Fills `target` with a region of numbers, booleans or enumerated numbers: little-endian, C order, exactly as long.
   * @throws RangeError when the region isn't inside the array or `target` has another size, or the type is another.
   */
  readRegion(path: NodePath, region: Region, target: Uint8Array): void;
  /**
   * The texts of a region in C order; what was never written is ''. Bytes that are no UTF-8 are replaced by U+FFFD,
   * padding of fixed-length text is cut. @throws RangeError as `readRegion` does.
   */
  readText(path: NodePath, region: Region): readonly string[];
  /**
   * Elements `first … first + count` of an array of one axis and compound type: a value per field, in order.
   * A field of kind `other` is ''. @throws RangeError as `readRegion` does.
   */
  readCompound(path: NodePath, first: number, count: number): readonly (readonly CompoundValue[])[];
}
