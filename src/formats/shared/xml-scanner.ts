import { XmlDecoder } from './xml-decoder.ts';
import { BadTag, TagReader, type XmlElement } from './xml-element.ts';
import { XmlFault } from './xml-fault.ts';
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
   * and '' where the text was not wished for.
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
const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
const NAME = /^[\p{L}_][^\s:"'<>&=/!?;,#]*(?::[\p{L}_][^\s:"'<>&=/!?;,#]*)?$/u;
/** Names remembered, so that the many elements of one name share one string. */
const MAX_NAMES = 1024;

interface Open {
  /** As written, with its prefix. */
  raw: string;
  name: string;
  wish: XmlWish;
  /** Text whose references are resolved, and behind it text as written. */
  resolved: string;
  unresolved: string;
}

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
  readonly #names = new Map<string, string>();
  /** Elements that are open, and behind them spent entries. */
  readonly #open: Open[] = [];
  #depth = 0;
  /** Depth of the element nothing of which is wished for, 0 for none. */
  #skipDepth = 0;
  #text = '';
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
    if (open) throw this.#fault(this.#text.length, `ends inside <${open.raw.slice(0, 60)}>: it is cut short`);
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
    const text = this.#text;
    // Most texts are a few characters: looking at each is cheaper than a call that searches.
    let less = from;
    const near = Math.min(text.length, from + 24);
    while (less < near && text.charCodeAt(less) !== LESS) less += 1;
    if (less === near) less = text.indexOf('<', near);
    if (less < 0) {
      if (from < text.length) this.#addText(from, text.length);
      this.#consumed = text.length;
      return -1;
    }
    if (less > from) {
      this.#addText(from, less);
      this.#consumed = less;
    }
    const code = text.charCodeAt(less + 1);
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
    const text = this.#text;
    const open = this.#open[this.#depth - 1];
    const raw = open?.raw ?? '';
    let at = less + 2 + raw.length;
    if (at < text.length && open && text.startsWith(raw, less + 2)) {
      while (isSpace(text.charCodeAt(at))) at += 1;
      if (text.charCodeAt(at) === GREATER) {
        this.#close(open);
        return at + 1;
      }
    }
    const greater = text.indexOf('>', less);
    if (greater < 0) return this.#await(less);
    const found = text.slice(less + 2, Math.min(greater, less + 62));
    throw this.#fault(less, open ? `ends <${raw.slice(0, 60)}> with </${found}>` : `ends </${found}> twice`);
  }

  #startTag(less: number): number {
    const text = this.#text;
    const { length } = text;
    let at = less + 1;
    for (; at < length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === GREATER || code === SLASH || code <= 0x20) break;
    }
    const nameEnd = at;
    while (at < length) {
      const code = text.charCodeAt(at);
      if (code === GREATER) break;
      if (code === 0x22 || code === 0x27) {
        at = text.indexOf(code === 0x22 ? '"' : "'", at + 1);
        if (at < 0) return this.#await(less);
      }
      at += 1;
    }
    if (at >= length) return this.#await(less);
    if (at - less > this.#limits.maxTag)
      throw this.#fault(less, `has a tag of more than ${this.#limits.maxTag} characters`);
    const empty = text.charCodeAt(at - 1) === SLASH && at - 1 >= nameEnd;
    this.#openElement(less, this.#name(less, text.slice(less + 1, nameEnd)), nameEnd, empty ? at - 1 : at);
    const open = this.#open[this.#depth - 1];
    if (empty && open) this.#close(open);
    return at + 1;
  }

  #name(less: number, written: string): string {
    const known = this.#names.get(written);
    if (known !== undefined) return known;
    if (!NAME.test(written)) throw this.#fault(less, `has a < that begins no tag: <${written.slice(0, 20)}`);
    if (this.#names.size < MAX_NAMES) this.#names.set(written, written);
    return written;
  }

  #openElement(less: number, raw: string, attributesFrom: number, attributesTo: number): void {
    if (this.#depth === 0 && this.#rootSeen) throw this.#fault(less, 'goes on after its root element');
    this.#rootSeen = true;
    if (this.#depth >= this.#limits.maxDepth)
      throw this.#fault(less, `nests elements more than ${this.#limits.maxDepth} deep`);
    this.#depth += 1;
    let name = raw;
    let wish: XmlWish = 'skip';
    if (this.#skipDepth === 0) {
      this.#tags.read(raw, this.#text, attributesFrom, attributesTo, this.#depth);
      name = this.#tags.name;
      wish = this.#handler.start(this.#tags);
      if (wish === 'skip') this.#skipDepth = this.#depth;
      if (wish === 'stop') this.stopped = true;
    }
    const open = this.#open[this.#depth - 1];
    if (!open) {
      this.#open.push({ raw, name, wish, resolved: '', unresolved: '' });
      return;
    }
    open.raw = raw;
    open.name = name;
    open.wish = wish;
    open.resolved = '';
    open.unresolved = '';
  }

  #close(open: Open): void {
    if (this.stopped) return;
    const depth = this.#depth;
    if (this.#skipDepth === 0) {
      const text = open.unresolved === '' ? '' : resolveText(open.unresolved);
      this.#handler.end(open.name, open.resolved === '' ? text : open.resolved + text, depth);
    }
    if (this.#skipDepth === 0 || this.#skipDepth === depth) {
      this.#skipDepth = 0;
      this.#tags.leave(depth);
    }
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
    // What could be the beginning of the end stays for the next chunk.
    const to = end < 0 ? Math.max(from, this.#text.length - awaited.length + 1) : end;
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
