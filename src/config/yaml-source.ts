import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { BadDefinitionError } from '../core/errors.ts';

/** A path into a YAML value: keys and indices from the root. */
export type ValuePath = readonly (string | number)[];

/**
 * A YAML file that still knows its lines.
 * Bounded by the caller's read; aliases are expanded at most 100 times (the `yaml` package's guard).
 */
export class YamlSource {
  readonly file: string;
  readonly value: unknown;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  /** @throws BadDefinitionError with the line of the first syntax error. */
  constructor(file: string, text: string) {
    this.file = file;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    const [error] = this.#document.errors;
    if (error) {
      const { line } = this.#lines.linePos(error.pos[0]);
      throw new BadDefinitionError(file, line, `${error.message.replace(/\s+/g, ' ')}`, { cause: undefined });
    }
    try {
      this.value = this.#document.toJS();
    } catch (error) {
      throw new BadDefinitionError(file, undefined, 'cannot be read as YAML', { cause: error });
    }
  }

  /** Line of the value at a path, or of the nearest enclosing value that is there. Counts from 1. */
  lineOf(path: ValuePath): number {
    return this.#line(path, false);
  }

  /** Line of the key that the path ends in. Counts from 1. */
  lineOfKey(path: ValuePath): number {
    return this.#line(path, true);
  }

  #line(path: ValuePath, wantsKey: boolean): number {
    let node = this.#document.contents as Node | null;
    let offset = node?.range?.[0] ?? 0;
    for (const [depth, part] of path.entries()) {
      if (isAlias(node)) node = node.resolve(this.#document) ?? null;
      let child: unknown;
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => (isScalar(key) ? String(key.value) : '') === String(part));
        const key = pair?.key as Node | undefined;
        if (key?.range) offset = key.range[0];
        if (wantsKey && depth === path.length - 1) break;
        child = pair?.value;
      } else if (isSeq(node)) {
        child = node.items[Number(part)];
      }
      if (child === undefined || child === null) break;
      node = child as Node;
      if (node.range) offset = node.range[0];
    }
    return this.#lines.linePos(offset).line;
  }
}
