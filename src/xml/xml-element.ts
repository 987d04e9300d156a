import { resolveText } from './xml-text.ts';

/** One attribute as it was written, its value resolved. */
interface XmlAttribute {
  /** Without its prefix. */
  readonly name: string;
  readonly prefix: string;
  readonly value: string;
}

/** A start tag. The scanner uses one object over and over: what is to be kept of it must be copied. */
export interface XmlElement {
  /** Without its prefix. */
  readonly name: string;
  /** URI of its namespace, '' for none. */
  readonly namespace: string;
  /** The root's is 1. */
  readonly depth: number;
  readonly attributes: readonly XmlAttribute[];
  /** Value of an attribute by the name without prefix (`Row` finds `bts:Row`); one without prefix goes first. */
  attribute(name: string): string | undefined;
}

/** What is wrong in a tag; the scanner knows where. */
export class BadTag extends Error {}

export interface TagLimits {
  readonly maxAttributes: number;
  readonly maxDepth: number;
}

const SPACE = 0x20;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const EQUALS = 0x3d;
const isSpace = (code: number): boolean => code === SPACE || code === 0x0a || code === 0x0d || code === 0x09;
/** Rough: whatever delimits a name in a tag. */
const endsName = (code: number): boolean =>
  code <= SPACE || code === EQUALS || code === QUOTE || code === APOSTROPHE || code === 0x3c || code === 0x26;

const NO_ATTRIBUTES: XmlAttribute[] = [];
/** Texts of attributes that are remembered, and the length of one in characters. */
const MAX_KNOWN = 256;
const MAX_KNOWN_LENGTH = 64;

/** Whether `xmlns` stands somewhere in a tag. */
function declaresNamespace(text: string, from: number, to: number): boolean {
  for (let at = from; at + 5 <= to; at += 1)
    if (text.charCodeAt(at) === 0x78 && text.startsWith('xmlns', at)) return true;
  return false;
}

interface Binding {
  readonly prefix: string;
  readonly uri: string;
  readonly depth: number;
}

/** Reads start tags into one {@link XmlElement} and keeps the namespaces that are in force. */
export class TagReader implements XmlElement {
  name = '';
  prefix = '';
  namespace = '';
  depth = 0;
  readonly #limits: TagLimits;
  readonly #bindings: Binding[] = [{ prefix: 'xml', uri: 'http://www.w3.org/XML/1998/namespace', depth: 0 }];
  #defaultNamespace = '';
  #attributes: XmlAttribute[] = [];
  /** The attributes as written, until somebody asks for them: most elements' are never asked for. */
  #text = '';
  #from = 0;
  #to = 0;
  /** Attributes of tags read before, by the text they were read from: documents repeat few again and again. */
  readonly #known = new Map<string, XmlAttribute[]>();

  constructor(limits: TagLimits) {
    this.#limits = limits;
  }

  /** @throws BadTag, UnknownReference */
  get attributes(): readonly XmlAttribute[] {
    if (this.#from === this.#to) return this.#attributes;
    if (this.#to - this.#from > MAX_KNOWN_LENGTH) {
      this.#readAttributes();
      return this.#attributes;
    }
    const text = this.#text.slice(this.#from, this.#to);
    const known = this.#known.get(text);
    if (known) {
      this.#attributes = known;
      this.#from = this.#to;
      return known;
    }
    this.#readAttributes();
    if (this.#known.size < MAX_KNOWN) this.#known.set(Buffer.from(text).toString(), this.#attributes);
    return this.#attributes;
  }

  attribute(name: string): string | undefined {
    let found: string | undefined;
    for (const attribute of this.attributes) {
      if (attribute.name !== name) continue;
      if (attribute.prefix === '') return attribute.value;
      found ??= attribute.value;
    }
    return found;
  }

  /**
   * Reads the tag `name`, whose attributes are `text[from … to)`, at `depth`. Attributes are read, and found
   * faulty, when they are asked for; namespace declarations at once.
   * @throws BadTag, UnknownReference
   */
  read(name: string, text: string, from: number, to: number, depth: number): void {
    this.depth = depth;
    this.#attributes = NO_ATTRIBUTES;
    this.#from = from;
    this.#to = to;
    if (from < to) {
      this.#text = text;
      if (declaresNamespace(text, from, to)) this.#readAttributes();
    }
    const colon = name.indexOf(':');
    this.name = colon < 0 ? name : name.slice(colon + 1);
    this.prefix = colon < 0 ? '' : name.slice(0, colon);
    this.namespace = colon < 0 ? this.#defaultNamespace : this.#uriOf(this.prefix);
  }

  /** Says that the element at `depth` has ended: its namespace declarations are no longer in force. */
  leave(depth: number): void {
    if ((this.#bindings.at(-1)?.depth ?? 0) < depth) return;
    while ((this.#bindings.at(-1)?.depth ?? 0) >= depth) this.#bindings.pop();
    this.#defaultNamespace = this.#bindings.findLast(({ prefix }) => prefix === '')?.uri ?? '';
  }

  #uriOf(prefix: string): string {
    const binding = this.#bindings.findLast((one) => one.prefix === prefix);
    if (!binding) throw new BadTag(`the prefix ${prefix.slice(0, 40)}: is not declared`);
    return binding.uri;
  }

  #readAttributes(): void {
    const text = this.#text;
    const to = this.#to;
    let at = this.#from;
    this.#from = to;
    this.#attributes = [];
    for (;;) {
      const spaces = at;
      while (at < to && isSpace(text.charCodeAt(at))) at += 1;
      if (at === to) return;
      if (at === spaces) throw new BadTag('there is no space before an attribute');
      const nameStart = at;
      while (at < to && !endsName(text.charCodeAt(at))) at += 1;
      const name = text.slice(nameStart, at);
      while (at < to && isSpace(text.charCodeAt(at))) at += 1;
      if (name === '' || at === to || text.charCodeAt(at) !== EQUALS)
        throw new BadTag('an attribute is not name="value"');
      at += 1;
      while (at < to && isSpace(text.charCodeAt(at))) at += 1;
      const quote = text.charCodeAt(at);
      const end = quote === QUOTE ? text.indexOf('"', at + 1) : text.indexOf("'", at + 1);
      if (at >= to || (quote !== QUOTE && quote !== APOSTROPHE) || end < 0 || end >= to)
        throw new BadTag(`the value of ${name.slice(0, 40)} is not in quotes`);
      this.#add(name, text.slice(at + 1, end));
      at = end + 1;
    }
  }

  #add(name: string, raw: string): void {
    if (raw.includes('<')) throw new BadTag(`the value of ${name.slice(0, 40)} holds a <`);
    const value = resolveText(raw);
    if (name === 'xmlns' || name.startsWith('xmlns:')) {
      const prefix = name.slice(6);
      if (this.#bindings.length > this.#limits.maxDepth + this.#limits.maxAttributes)
        throw new BadTag('too many namespaces are declared');
      this.#bindings.push({ prefix, uri: value, depth: this.depth });
      if (prefix === '') this.#defaultNamespace = value;
      return;
    }
    const colon = name.indexOf(':');
    const local = colon < 0 ? name : name.slice(colon + 1);
    const prefix = colon < 0 ? '' : name.slice(0, colon);
    for (const one of this.#attributes)
      if (one.name === local && one.prefix === prefix)
        throw new BadTag(`the attribute ${name.slice(0, 40)} is given twice`);
    if (this.#attributes.length >= this.#limits.maxAttributes)
      throw new BadTag(`an element has more than ${this.#limits.maxAttributes} attributes`);
    this.#attributes.push({ name: local, prefix, value });
  }
}
