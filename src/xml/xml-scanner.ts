import { XmlDecoder } from './xml-decoder.ts';
import { BadTag, TagReader, type XmlElement } from './xml-element.ts';
import { XmlFault } from './xml-fault.ts';
import { NameTable, nameIsAt, nextNameHash, type XmlName } from './xml-names.ts';
import { resolveText, UnknownReference } from './xml-text.ts';

export type { XmlElement } from './xml-element.ts';

/**
 * What a handler wants of an element: its text and its children, its children only, nothing more of it, not even
 * its end, or nothing more of the whole document.
 */
export type XmlWish = 'text' | 'children' | 'skip' | 'stop';

/** Receives a document's events in their order. */
export interface XmlHandler {
  /** An element begins. `element` is the same object each time. */
  start(element: XmlElement): XmlWish;
  /**
   * An element has ended; `text` is its own character data, that of its children left out, references resolved,
   * and '' where the text was not wished for. A text that is kept may keep the whole chunk it was cut from in
   * memory: copy what is kept for many elements.
   */
  end(name: string, text: string, depth: number): void;
}

/** Bounds; what goes past one is a fault of the document. Text not wished for counts towards none. */
export interface XmlLimits {
  readonly maxDepth: number;
  readonly maxAttributes: number;
  /** Characters of one tag, with its attributes. */
  readonly maxTag: number;
  /** Characters of one element's text. */
  readonly maxText: number;
}

export const XML_LIMITS: XmlLimits = {
  maxDepth: 64,
  maxAttributes: 256,
  maxTag: 1 << 20,
  maxText: 16 << 20,
};

const LESS = 0x3c;
const SLASH = 0x2f;
const GREATER = 0x3e;
const BANG = 0x21;
const QUESTION = 0x3f;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const AMPERSAND = 0x26;
const CARRIAGE_RETURN = 0x0d;
const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
interface Open {
  /** As written, with its prefix. */
  written: XmlName;
  name: string;
  wish: XmlWish;
  /** Text whose references are resolved, and behind it text as written. */
  resolved: string;
  unresolved: string;
}

/** Whether a unit of a string is the second of a surrogate pair. */
const isSecondHalf = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

/**
 * Reads XML 1.0 in one pass, chunk by chunk, in memory bounded by its limits and the chunk's size. A document
 * type declaration is refused, so nothing but the five predefined entities and numeric references is ever
 * resolved. Faults are thrown as {@link XmlFault}; use `scanXmlFile` and its kin to have them name the file.
 */
export class XmlScanner {
  stopped = false;
  readonly #handler: XmlHandler;
  readonly #limits: XmlLimits;
  readonly #decoder = new XmlDecoder();
  readonly #tags: TagReader;
  readonly #names = new NameTable();
  /** Elements that are open, and behind them spent entries. */
  readonly #open: Open[] = [];
  #depth = 0;
  /** Depth of the element nothing of which is wished for, 0 for none. */
  #skipDepth = 0;
  #text = '';
  #codes: Buffer = Buffer.alloc(0);
  /** What the scanner is inside of, across chunks. */
  #inside: '' | '-->' | '?>' | ']]>' = '';
  #rootSeen = false;
  #last = false;
  /** Characters of the text at hand that are done with. */
  #consumed = 0;

  constructor(handler: XmlHandler, limits: XmlLimits = XML_LIMITS) {
    this.#handler = handler;
    this.#limits = limits;
    this.#tags = new TagReader(limits);
  }

  /** Takes the next chunk, whose memory may be used again afterwards. @throws XmlFault */
  write(chunk: Buffer): void {
    if (this.stopped) return;
    this.#take(this.#decoder.decode(chunk, false));
  }

  /** Says that the document is complete. @throws XmlFault when it isn't. */
  end(): void {
    if (this.stopped) return;
    this.#last = true;
    this.#take(this.#decoder.decode(Buffer.alloc(0), true));
    if (this.stopped) return;
    const open = this.#open[this.#depth - 1];
    if (this.#inside !== '')
      throw this.#fault(this.#text.length, `ends before the ${this.#inside} it awaits`);
    if (open)
      throw this.#fault(this.#text.length, `ends inside <${open.written.raw.slice(0, 60)}>: it is cut short`);
    if (!this.#rootSeen) throw this.#fault(this.#text.length, 'holds no element');
  }

  /** The fault at a character of the text at hand. */
  #fault(at: number, detail: string): XmlFault {
    const behind = this.#decoder.bytesOf(this.#text.slice(at));
    return new XmlFault(Math.max(0, this.#decoder.decodedBytes - behind), detail);
  }

  #take(text: string): void {
    // Put back as bytes and not kept as a string: joined strings are slow to look into.
    this.#text = text;
    this.#codes = this.#decoder.codes;
    this.#consumed = 0;
    let at = 0;
    try {
      while (!this.stopped) {
        const next = this.#inside === '' ? this.#step(at) : this.#leaveInside(at);
        if (next < 0) break;
        at = next;
        this.#consumed = at;
      }
    } catch (error) {
      if (error instanceof BadTag) throw this.#fault(this.#consumed, error.message);
      if (error instanceof UnknownReference)
        throw this.#fault(
          this.#consumed,
          `refers to ${error.message}, which is neither numeric nor a predefined entity`,
        );
      throw error;
    }
    if (!this.#last) this.#decoder.putBack(text.slice(this.#consumed));
  }

  /** One piece of text and the markup behind it; returns where it ended, or -1 when more is needed. */
  #step(from: number): number {
    const codes = this.#codes;
    const { length } = codes;
    let less = from;
    while (less < length && codes[less] !== LESS) less += 1;
    if (less === length) {
      if (from < length) this.#addText(from, length);
      this.#consumed = length;
      return -1;
    }
    if (less > from) {
      this.#addText(from, less);
      this.#consumed = less;
    }
    const code = less + 1 < length ? codes[less + 1] : 0;
    if (code === SLASH) return this.#endTag(less);
    if (code === QUESTION) return this.#enter('?>', less + 2);
    if (code === BANG) return this.#declaration(less);
    return this.#startTag(less);
  }

  #addText(from: number, to: number): void {
    const open = this.#open[this.#depth - 1];
    if (!open) {
      if (this.#text.slice(from, to).trim() !== '')
        throw this.#fault(from, this.#rootSeen ? 'goes on after its root element' : 'is no XML');
      return;
    }
    if (open.wish !== 'text' || this.#skipDepth > 0) return;
    if (open.resolved.length + open.unresolved.length + to - from > this.#limits.maxText)
      throw this.#fault(from, `has a text of more than ${this.#limits.maxText} characters`);
    const piece = this.#text.slice(from, to);
    open.unresolved = open.unresolved === '' ? piece : open.unresolved + piece;
  }

  /** Not enough of a piece of markup is here: waits for more, unless there is none or it is too long. */
  #await(less: number): number {
    if (this.#last) throw this.#fault(less, 'ends inside a tag: it is cut short');
    if (this.#text.length - less > this.#limits.maxTag)
      throw this.#fault(less, `has a tag of more than ${this.#limits.maxTag} characters`);
    return -1;
  }

  #endTag(less: number): number {
    const codes = this.#codes;
    const open = this.#open[this.#depth - 1];
    if (open && nameIsAt(this.#text, codes, less + 2, open.written)) {
      let at = less + 2 + open.written.codes.length;
      while (at < codes.length && isSpace(codes[at] ?? 0)) at += 1;
      if (at < codes.length && codes[at] === GREATER) {
        this.#close(open);
        return at + 1;
      }
    }
    const greater = this.#text.indexOf('>', less);
    if (greater < 0) return this.#await(less);
    const found = this.#text.slice(less + 2, Math.min(greater, less + 62));
    const name = open?.written.raw.slice(0, 60);
    throw this.#fault(less, open ? `ends <${name}> with </${found}>` : `ends </${found}> twice`);
  }

  #startTag(less: number): number {
    const codes = this.#codes;
    const { length } = codes;
    let at = less + 1;
    let hash = 0;
    for (; at < length; at += 1) {
      const code = codes[at] ?? 0;
      if (code === GREATER || code === SLASH || code <= 0x20) break;
      hash = nextNameHash(hash, code);
    }
    const nameEnd = at;
    while (at < length) {
      const code = codes[at];
      if (code === GREATER) break;
      at += 1;
      if (code !== QUOTE && code !== APOSTROPHE) continue;
      while (at < length && codes[at] !== code) at += 1;
      at += 1;
    }
    if (at >= length) return this.#await(less);
    if (at - less > this.#limits.maxTag)
      throw this.#fault(less, `has a tag of more than ${this.#limits.maxTag} characters`);
    const empty = at > nameEnd && codes[at - 1] === SLASH;
    const written = this.#names.find(this.#text, codes, less + 1, nameEnd, hash);
    if (!written)
      throw this.#fault(less, `has a < that begins no tag: <${this.#text.slice(less + 1, less + 21)}`);
    const wish = this.#startElement(less, written, nameEnd, empty ? at - 1 : at);
    if (this.stopped) return at + 1;
    if (empty) {
      this.#endElement(this.#tags.name, '');
      return at + 1;
    }
    return this.#leaf(at + 1, written, wish);
  }

  /**
   * Goes on behind a start tag: to behind the end tag, where the element is a leaf and all of it is here, as most
   * are; else only opens the element.
   */
  #leaf(from: number, written: XmlName, wish: XmlWish): number {
    const codes = this.#codes;
    const { length } = codes;
    let less = from;
    let isPlain = true;
    for (; less < length; less += 1) {
      const code = codes[less];
      if (code === LESS) break;
      if (code === AMPERSAND || code === CARRIAGE_RETURN) isPlain = false;
    }
    const greater = less + 2 + written.codes.length;
    const isLeaf =
      greater < length &&
      codes[less + 1] === SLASH &&
      codes[greater] === GREATER &&
      less - from <= this.#limits.maxText &&
      nameIsAt(this.#text, codes, less + 2, written);
    if (!isLeaf) {
      this.#push(written, wish);
      return from;
    }
    const text = wish === 'text' && this.#skipDepth === 0 ? this.#text.slice(from, less) : '';
    this.#endElement(this.#tags.name, isPlain ? text : resolveText(text));
    return greater + 1;
  }

  /** Tells the handler, where it wishes to know, and enters the element. */
  #startElement(less: number, { raw }: XmlName, attributesFrom: number, attributesTo: number): XmlWish {
    if (this.#depth === 0 && this.#rootSeen) throw this.#fault(less, 'goes on after its root element');
    this.#rootSeen = true;
    if (this.#depth >= this.#limits.maxDepth)
      throw this.#fault(less, `nests elements more than ${this.#limits.maxDepth} deep`);
    this.#depth += 1;
    if (this.#skipDepth > 0) return 'skip';
    this.#tags.read(raw, this.#text, attributesFrom, attributesTo, this.#depth);
    const wish = this.#handler.start(this.#tags);
    if (wish === 'skip') this.#skipDepth = this.#depth;
    if (wish === 'stop') this.stopped = true;
    return wish;
  }

  /** Keeps an element that has been entered until its end tag. */
  #push(written: XmlName, wish: XmlWish): void {
    // Within what is skipped no start tag is read, and no name is told.
    const name = this.#skipDepth > 0 ? '' : this.#tags.name;
    const open = this.#open[this.#depth - 1];
    if (!open) {
      this.#open.push({ written, name, wish, resolved: '', unresolved: '' });
      return;
    }
    open.written = written;
    open.name = name;
    open.wish = wish;
    open.resolved = '';
    open.unresolved = '';
  }

  #close(open: Open): void {
    const text = open.unresolved === '' ? '' : resolveText(open.unresolved);
    this.#endElement(open.name, open.resolved === '' ? text : open.resolved + text);
  }

  #endElement(name: string, text: string): void {
    const depth = this.#depth;
    if (this.#skipDepth === 0) this.#handler.end(name, text, depth);
    else if (this.#skipDepth === depth) this.#skipDepth = 0;
    if (this.#skipDepth === 0) this.#tags.leave(depth);
    this.#depth -= 1;
  }

  #declaration(less: number): number {
    const text = this.#text;
    if (text.startsWith('<!--', less)) return this.#enter('-->', less + 4);
    if (text.startsWith('<![CDATA[', less)) {
      const open = this.#open[this.#depth - 1];
      if (!open) throw this.#fault(less, 'has text outside its root element');
      open.resolved += resolveText(open.unresolved);
      open.unresolved = '';
      return this.#enter(']]>', less + 9);
    }
    if (text.length - less < 9 && !this.#last) return -1;
    throw this.#fault(less, 'declares a document type or an entity, which is not read here');
  }

  #enter(inside: '-->' | '?>' | ']]>', at: number): number {
    this.#inside = inside;
    return at;
  }

  /** Passes over a comment, an instruction or a CDATA section; the text of the last is kept where wished. */
  #leaveInside(from: number): number {
    const awaited = this.#inside;
    const end = this.#text.indexOf(awaited, from);
    // What could be the beginning of the end stays for the next chunk, and no character is cut in two.
    let to = end < 0 ? Math.max(from, this.#text.length - awaited.length + 1) : end;
    if (to > from && isSecondHalf(this.#text.charCodeAt(to))) to -= 1;
    if (awaited === ']]>') this.#addCharacterData(from, to);
    this.#consumed = to;
    if (end < 0) return -1;
    this.#inside = '';
    return end + awaited.length;
  }

  #addCharacterData(from: number, to: number): void {
    const open = this.#open[this.#depth - 1];
    if (open?.wish !== 'text' || this.#skipDepth > 0) return;
    if (open.resolved.length + to - from > this.#limits.maxText)
      throw this.#fault(from, `has a text of more than ${this.#limits.maxText} characters`);
    open.resolved += this.#text.slice(from, to).replaceAll('\r\n', '\n');
  }
}
