import { allocate, bytesOf, elementCount } from '../../core/nd-array.ts';
import { type ColumnSource, openColumn, unsupported } from './anndata-column.ts';
import { badElement, below, encodingOf, numberArray } from './anndata-values.ts';
import type { NodePath } from './hierarchy.ts';

/** Arrays longer than this are files of their own; shorter ones stand in the JSON. */
const MAX_INLINE = { numbers: 64, texts: 1024 } as const;
/** Characters of text that a list in the JSON may hold. */
const MAX_INLINE_TEXT = 65_536;
/** Characters of the whole document, but for its indents. */
const MAX_DOCUMENT = 4 * 2 ** 20;
/** Elements of all groups together. */
const MAX_NODES = 10_000;
/** Groups within groups. */
const MAX_DEPTH = 32;

/** What unstructured data holds besides numbers and words: each is shown as a file of its own. */
export interface UnsSink {
  /** An array, table or matrix. @returns what to say of it in the JSON, or undefined when it is none of these. */
  take(path: NodePath): { readonly [fact: string]: unknown } | undefined;
  /** What can't be shown. */
  leaveOut(path: NodePath, error: unknown): void;
}

/** A value as JSON. Whole numbers keep all digits; what JSON has no number for is its name as a text. */
function jsonNumber(value: number | bigint): string {
  if (typeof value === 'bigint' || Number.isFinite(value))
    return Object.is(value, -0) ? '-0.0' : String(value);
  return JSON.stringify(Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity');
}

/** Items nested as their shape says: [2, 3] makes two lists of three. */
function nested(items: readonly string[], shape: readonly number[]): string {
  const [extent, ...rest] = shape;
  if (extent === undefined) return items[0] ?? 'null';
  const step = elementCount(rest);
  const parts = Array.from({ length: extent }, (_, at) =>
    nested(items.slice(at * step, (at + 1) * step), rest),
  );
  return `[${parts.join(', ')}]`;
}

/**
 * Unstructured data (`uns`) as one JSON document: groups are objects; numbers, texts and short arrays stand in it,
 * all else is a file of its own, and is named with its shape.
 */
export class UnsDocument {
  readonly #source: ColumnSource;
  readonly #sink: UnsSink;
  #nodes = 0;
  #chars = 0;

  constructor(source: ColumnSource, sink: UnsSink) {
    this.#source = source;
    this.#sink = sink;
  }

  /** The document of a group, with a line's end. `skipped` are names directly in it that belong elsewhere. */
  text(path: NodePath, skipped: ReadonlySet<string>): string {
    return `${this.#group(path, '', 0, skipped)}\n`;
  }

  #group(path: NodePath, indent: string, depth: number, skipped?: ReadonlySet<string>): string {
    const { tree } = this.#source;
    if (depth > MAX_DEPTH) throw unsupported(tree, path, `groups nested more than ${MAX_DEPTH} deep`);
    const { children, isCut } = tree.children(path, MAX_NODES - this.#nodes);
    if (isCut)
      this.#sink.leaveOut(path, unsupported(tree, path, `uns holds more than ${MAX_NODES} elements`));
    this.#nodes += children.length;
    const inner = `${indent}  `;
    const members: string[] = [];
    for (const { name, kind } of children) {
      if (skipped?.has(name)) continue;
      const place = below(path, name);
      try {
        const member = `${JSON.stringify(name)}: ${this.#value(place, kind, inner, depth)}`;
        // What is in a group is counted already.
        if (kind === 'array') this.#chars += member.length;
        if (this.#chars > MAX_DOCUMENT)
          throw unsupported(tree, place, `uns.json would have more than ${MAX_DOCUMENT} characters`);
        members.push(inner + member);
      } catch (error) {
        this.#sink.leaveOut(place, error);
      }
    }
    return members.length === 0 ? '{}' : `{\n${members.join(',\n')}\n${indent}}`;
  }

  #value(path: NodePath, kind: 'group' | 'array', indent: string, depth: number): string {
    const { tree } = this.#source;
    const encoding = encodingOf(tree.attributes(path));
    if (encoding === 'null') return 'null';
    const inline = kind === 'array' ? this.#inline(path) : undefined;
    if (inline !== undefined) return inline;
    if (kind === 'group' && (encoding === 'categorical' || encoding?.startsWith('nullable-'))) {
      const list = this.#column(path);
      if (list !== undefined) return list;
    }
    const taken = this.#sink.take(path);
    if (taken) return JSON.stringify(taken);
    if (kind === 'array') throw unsupported(tree, path, 'array that is no numbers, text or records');
    if (encoding !== undefined && encoding !== 'dict')
      throw unsupported(tree, path, `element of encoding ${encoding}`);
    return this.#group(path, indent, depth + 1);
  }

  /** A short array as a list (of lists), a single value as itself. */
  #inline(path: NodePath): string | undefined {
    const { tree } = this.#source;
    const { shape, type, unreadable } = tree.arrayFacts(path);
    if (unreadable !== undefined) throw unsupported(tree, path, unreadable);
    const count = elementCount(shape);
    const region = { start: shape.map(() => 0), shape };
    if (type.kind === 'text') {
      if (!(count <= MAX_INLINE.texts)) return undefined;
      const texts = tree.readText(path, region);
      const sizeChars = texts.reduce((sum, text) => sum + text.length, 0);
      if (sizeChars > MAX_INLINE_TEXT) {
        if (shape.length === 1) return undefined;
        throw unsupported(tree, path, `text of ${sizeChars} characters`);
      }
      return nested(
        texts.map((text) => JSON.stringify(text)),
        shape,
      );
    }
    if (type.kind === 'compound' || type.kind === 'other' || !(count <= MAX_INLINE.numbers)) return undefined;
    const numbers = allocate(numberArray(tree, path).dtype, shape);
    if (count > 0) tree.readRegion(path, region, bytesOf(numbers));
    const items = [...numbers.data].map((value) =>
      type.kind === 'boolean' ? String(value !== 0) : jsonNumber(value),
    );
    if (items.length !== count) throw badElement(tree, path, 'has another shape than it says');
    return nested(items, shape);
  }

  /** A short column of categories or of values of which some are missing. */
  #column(path: NodePath): string | undefined {
    const column = openColumn(this.#source, path, '', '');
    if (column.rowCount > MAX_INLINE.numbers) return undefined;
    const cells = column.read(0, column.rowCount).map((cell) => {
      if (cell === undefined) return 'null';
      return typeof cell === 'number' || typeof cell === 'bigint' ? jsonNumber(cell) : JSON.stringify(cell);
    });
    return `[${cells.join(', ')}]`;
  }
}
