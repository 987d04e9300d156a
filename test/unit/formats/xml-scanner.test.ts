import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadMetadataError, CancelledError, UnreadableSourceError } from '../../../src/core/errors.ts';
import { readXmlRoot, scanXml, scanXmlFile } from '../../../src/formats/shared/xml-file.ts';
import { XML_LIMITS, type XmlElement, XmlScanner, type XmlWish } from '../../../src/xml/xml-scanner.ts';

const signal = new AbortController().signal;
let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'platefs-xml-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** Every event as a line, all texts wished for unless told otherwise. */
class Recorder {
  readonly events: string[] = [];
  readonly #wish: (element: XmlElement) => XmlWish;
  constructor(wish: (element: XmlElement) => XmlWish = () => 'text') {
    this.#wish = wish;
  }
  start(element: XmlElement): XmlWish {
    const attributes = element.attributes.map(({ name, prefix, value }) => ` ${prefix}|${name}=${value}`);
    this.events.push(`<${element.name} {${element.namespace}} ${element.depth}${attributes.join('')}`);
    return this.#wish(element);
  }
  end(name: string, text: string, depth: number): void {
    this.events.push(`>${name} ${depth} ${text}`);
  }
}

function eventsOf(xml: string | Buffer, wish?: (element: XmlElement) => XmlWish): string[] {
  const recorder = new Recorder(wish);
  scanXml('x.xml', Buffer.from(xml), recorder);
  return recorder.events;
}

const fault = (xml: string | Buffer): string => {
  try {
    eventsOf(xml);
  } catch (error) {
    expect(error).toBeInstanceOf(BadMetadataError);
    return (error as Error).message;
  }
  throw new Error(`no fault in ${xml.toString().slice(0, 80)}`);
};

describe('events', () => {
  it('gives attributes that were read before as they were, and the faulty again as faults', () => {
    const many = Array.from({ length: 600 }, (_, i) => `<b n="${i % 300}" p:u="&lt;"/><b n="${i % 300}"/>`);
    const events = eventsOf(`<a xmlns:p="q">${many.join('')}</a>`).filter((event) => event.startsWith('<b'));
    expect(events).toEqual(many.flatMap((_, i) => [`<b {} 2 |n=${i % 300} p|u=<`, `<b {} 2 |n=${i % 300}`]));
    expect(fault('<a><b n="1"/><b n="1"/><b n="1" n="1"/></a>')).toContain('given twice');
  });

  it('gives elements, their texts and their ends, without prefixes', () => {
    expect(
      eventsOf(
        '<?xml version="1.0"?><!-- a > b --><p:A xmlns:p="urn:p" x=\'1\'><B> t </B><c/>u<!-- -->v</p:A>\n',
      ),
    ).toEqual(['<A {urn:p} 1 |x=1', '<B {} 2', '>B 2  t ', '<c {} 2', '>c 2 ', '>A 1 uv']);
  });

  it('finds namespaced attributes by their own name, one without prefix first', () => {
    let seen: (string | undefined)[] = [];
    scanXml('x.xml', Buffer.from('<bts:R xmlns:bts="urn:b" bts:Row="2" bts:Ch="b" Ch="a"/>'), {
      start: (element) => {
        seen = [
          element.attribute('Row'),
          element.attribute('Ch'),
          element.attribute('Column'),
          element.namespace,
        ];
        return 'children';
      },
      end: () => undefined,
    });
    expect(seen).toEqual(['2', 'a', undefined, 'urn:b']);
  });

  it('keeps namespaces to the elements they are declared for', () => {
    expect(
      eventsOf('<a xmlns="u1"><b xmlns="u2"><c/></b><d/><e xmlns=""/></a>').filter((e) => e[0] === '<'),
    ).toEqual(['<a {u1} 1', '<b {u2} 2', '<c {u2} 3', '<d {u1} 2', '<e {} 2']);
  });

  it('resolves the predefined and the numeric references, and leaves CDATA as it is', () => {
    expect(
      eventsOf('<a n="&lt;&#x41;&amp;amp;">&#181;m &gt;<![CDATA[<&amp;>]]>&quot;&apos;\r\nx</a>'),
    ).toEqual(['<a {} 1 |n=<A&amp;', '>a 1 µm ><&amp;>"\'\nx']);
  });

  it('passes over what is not wished for', () => {
    const wish = ({ name }: XmlElement): XmlWish =>
      name === 'skip' ? 'skip' : name === 'a' ? 'children' : 'text';
    expect(eventsOf('<a>x<skip><a>y</a><b/></skip><b>z</b>y</a>', wish)).toEqual([
      '<a {} 1',
      '<skip {} 2',
      '<b {} 2',
      '>b 2 z',
      '>a 1 ',
    ]);
    expect(eventsOf('<a><b/><stop><c></a>', ({ name }) => (name === 'stop' ? 'stop' : 'text')).at(-1)).toBe(
      '<stop {} 2',
    );
  });
});

describe('encodings', () => {
  const text = '<a b="µ𝄞é">µ𝄞é</a>';
  const expected = ['<a {} 1 |b=µ𝄞é', '>a 1 µ𝄞é'];
  const declared = (encoding: string, body: string) => `<?xml version="1.0" encoding="${encoding}"?>${body}`;

  it('reads UTF-8 and UTF-16 of both orders, with and without a mark', () => {
    const utf16 = Buffer.from(declared('utf-16', text), 'utf16le');
    const marked = Buffer.from(`\uFEFF${text}`, 'utf16le');
    for (const bytes of [
      Buffer.from(text),
      Buffer.from(`\uFEFF${text}`),
      Buffer.from(declared('UTF-8', text)),
      Buffer.from(declared('utf-16', text)),
      utf16,
      Buffer.from(utf16).swap16(),
      marked,
      Buffer.from(marked).swap16(),
    ])
      expect(eventsOf(bytes)).toEqual(expected);
  });

  it('reads Latin-1 and Windows-1252 where they are declared', () => {
    expect(eventsOf(Buffer.from(declared('ISO-8859-1', '<a>µé</a>'), 'latin1'))).toEqual([
      '<a {} 1',
      '>a 1 µé',
    ]);
    expect(eventsOf(Buffer.from(declared('windows-1252', '<a>\x80</a>'), 'latin1'))).toEqual([
      '<a {} 1',
      '>a 1 €',
    ]);
  });

  it('refuses bytes that are no text, NUL and encodings it does not know', () => {
    expect(fault(Buffer.from('<a>µ</a>', 'latin1'))).toContain('not UTF-8');
    expect(fault('<a>\0</a>')).toContain('line 1 (byte 3): holds a NUL');
    expect(fault(declared('EBCDIC-CP-US', '<a/>'))).toContain('EBCDIC-CP-US');
  });
});

describe('faults', () => {
  it('names file, line and byte', () => {
    expect(fault('<a>\n<b>\n</c></a>')).toBe('x.xml: bad XML at line 3 (byte 8): ends <b> with </c>');
    expect(fault(Buffer.from('\uFEFF<a>\nµ<b x="1" x="2"/></a>'))).toContain(
      'line 2 (byte 9): the attribute x',
    );
  });

  it.each([
    ['', 'holds no element'],
    ['hello', 'is no XML'],
    ['<a>', 'ends inside <a>: it is cut short'],
    ['<a><b', 'cut short'],
    ['<a b="1', 'cut short'],
    ['<a><!-- ', 'ends before the -->'],
    ['<a><![CDATA[ ]]', 'ends before the ]]>'],
    ['<a/><b/>', 'goes on after its root'],
    ['<a/>x', 'goes on after its root'],
    ['</a>', 'ends </a> twice'],
    ['<a></ a>', 'ends <a> with'],
    ['<a b=1/>', 'not in quotes'],
    ['<a b/>', 'not name="value"'],
    ['<a b="1"c="2"/>', 'no space before an attribute'],
    ['<a b="<"/>', 'holds a <'],
    ['<a>&nbsp;</a>', 'refers to &nbsp;, which is neither'],
    ['<a>&#0;</a>', 'refers to &#0;'],
    ['<a>&#xD800;</a>', 'refers to &#xD800;'],
    ['<a>& b</a>', 'refers to &'],
    ['<a>< b</a>', 'begins no tag'],
    ['<p:a/>', 'prefix p: is not declared'],
    ['<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', 'declares a document type'],
    ['<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', 'declares a document type'],
    ['<a><!ENTITY x "y"></a>', 'declares a document type'],
  ])('refuses %s', (xml, message) => {
    expect(fault(xml)).toContain(message);
  });

  it('refuses what is too deep, too long or too much', () => {
    expect(fault('<a>'.repeat(1000))).toContain('nests elements more than 64 deep');
    expect(fault(`<a ${Array.from({ length: 1000 }, (_, i) => `b${i}="1"`).join(' ')}/>`)).toContain(
      '256 attributes',
    );
    expect(fault(`<a b="${'x'.repeat(XML_LIMITS.maxTag)}"/>`)).toContain('has a tag of more than');
    expect(fault(`<a b="${'x'.repeat(2 * XML_LIMITS.maxTag)}`)).toContain('has a tag of more than');
    const declarations = Array.from({ length: 1000 }, (_, i) => `xmlns:p${i}="u"`).join(' ');
    expect(fault(`<a ${declarations}/>`)).toContain('too many namespaces');
    const scanner = new XmlScanner(new Recorder(), { ...XML_LIMITS, maxText: 1000 });
    expect(() => scanner.write(Buffer.from(`<a>${'x'.repeat(2000)}`))).toThrow('text of more than 1000');
  });
});

describe('files', () => {
  it('reads a file larger than its chunks, and counts lines where it breaks', async () => {
    const path = join(scratch, 'large.xml');
    const item = (i: number) => `  <i n="${i}">${'µ'.repeat(i % 50)}</i>\n`;
    const body = Array.from({ length: 20_000 }, (_, i) => item(i)).join('');
    await writeFile(path, `\uFEFF<a>\n${body}</a>`);
    const recorder = new Recorder();
    await scanXmlFile(path, recorder, signal);
    expect(recorder.events.length).toBe(40_002);
    expect(recorder.events.at(-2)).toBe(`>i 2 ${'µ'.repeat(19_999 % 50)}`);
    await writeFile(path, `<a>\n${body}</b>`);
    await expect(scanXmlFile(path, new Recorder(), signal)).rejects.toThrow(
      /large\.xml: bad XML at line 20002 \(byte \d+\): ends <a> with <\/b>/,
    );
  });

  it('knows a root element by the beginning of its file', async () => {
    const path = join(scratch, 'root.xml');
    await writeFile(path, `\uFEFF<?xml version="1.0"?>\n<p:R xmlns:p="urn:x">${' '.repeat(200_000)}`);
    expect(await readXmlRoot(path)).toEqual({ name: 'R', namespace: 'urn:x' });
    for (const other of ['', 'II*\0', '{"a": 1}', '<!DOCTYPE html><html/>', '<!-- ']) {
      await writeFile(path, other);
      expect(await readXmlRoot(path)).toBeUndefined();
    }
  });

  it('stops when it is cancelled, and waits for no pipe', async () => {
    const path = join(scratch, 'small.xml');
    await writeFile(path, '<a/>');
    await expect(scanXmlFile(path, new Recorder(), AbortSignal.abort())).rejects.toBeInstanceOf(
      CancelledError,
    );
    await expect(scanXmlFile(join(scratch, 'none.xml'), new Recorder(), signal)).rejects.toBeInstanceOf(
      UnreadableSourceError,
    );
    execFileSync('/usr/bin/mkfifo', [join(scratch, 'pipe')]);
    await symlink(join(scratch, 'pipe'), join(scratch, 'pipe.xml'));
    await expect(scanXmlFile(join(scratch, 'pipe.xml'), new Recorder(), signal)).rejects.toBeInstanceOf(
      UnreadableSourceError,
    );
  });
});

describe('any document', () => {
  const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,8}$/);
  // What XML can't say is left out: control characters, and line ends that it normalises.
  const sayable = (text: string): boolean =>
    text.isWellFormed() && [...text].every((c) => c >= ' ' && c !== '\ufffe' && c !== '\uffff');
  const characters = fc.string({ unit: 'binary', maxLength: 12 }).filter(sayable);
  const escaped = (text: string): string =>
    text.replace(
      /[&<>"']/g,
      (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[c] ?? c,
    );
  interface Node {
    name: string;
    attributes: [string, string][];
    text: string;
    children: Node[];
  }
  const nodeOf = (children: fc.Arbitrary<Node[]>): fc.Arbitrary<Node> =>
    fc.record({
      name,
      attributes: fc.uniqueArray(
        fc.tuple(
          name.filter((n) => n !== 'xmlns'),
          characters,
        ),
        {
          maxLength: 3,
          selector: ([attribute]) => attribute,
        },
      ),
      text: characters,
      children,
    });
  let node = nodeOf(fc.constant([]));
  for (let depth = 0; depth < 3; depth += 1) node = nodeOf(fc.array(node, { maxLength: 3 }));
  const written = (n: Node): string =>
    `<${n.name}${n.attributes.map(([k, v]) => ` ${k}="${escaped(v)}"`).join('')}>${escaped(n.text)}${n.children.map(written).join('<!-- x -->')}</${n.name}>`;
  const expected = (n: Node, depth = 1): string[] => [
    `<${n.name} {} ${depth}${n.attributes.map(([k, v]) => ` |${k}=${v}`).join('')}`,
    ...n.children.flatMap((child) => expected(child, depth + 1)),
    `>${n.name} ${depth} ${n.text}`,
  ];

  it('comes back as it was written, however it is cut into chunks and encoded', () => {
    fc.assert(
      fc.property(
        node,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        fc.boolean(),
        (root, sizes, wide) => {
          const bytes = Buffer.from(`\uFEFF${written(root)}`, wide ? 'utf16le' : 'utf8');
          const recorder = new Recorder();
          const scanner = new XmlScanner(recorder);
          for (let at = 0, i = 0; at < bytes.length; i += 1) {
            const size = sizes[i % sizes.length] ?? 1;
            scanner.write(Buffer.from(bytes.subarray(at, at + size)));
            at += size;
          }
          scanner.end();
          expect(recorder.events).toEqual(expected(root));
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each([
    '<a><!--\u{10000}\u{10000}\u{10000}-->b</a>',
    '<a><![CDATA[\u{10000}\u{10000}]]></a>',
    '<a><?p \u{10000}?></a>',
  ])('is not cut inside a character: %s', (text) => {
    const eventsOf = (chunk: number): string[] => {
      const recorder = new Recorder();
      const scanner = new XmlScanner(recorder);
      const bytes = Buffer.from(`<?xml version="1.0" encoding="utf-8"?>${' '.repeat(300)}${text}`);
      for (let at = 0; at < bytes.length; at += chunk)
        scanner.write(Buffer.from(bytes.subarray(at, at + chunk)));
      scanner.end();
      return recorder.events;
    };
    for (const chunk of [1, 2, 3, 5, 7]) expect(eventsOf(chunk)).toEqual(eventsOf(10_000));
  });

  it('is read or refused when it is damaged, the same however it is cut', () => {
    const outcome = (bytes: Buffer, chunk: number): string => {
      const recorder = new Recorder();
      const scanner = new XmlScanner(recorder);
      try {
        for (let at = 0; at < bytes.length; at += chunk)
          scanner.write(Buffer.from(bytes.subarray(at, at + chunk)));
        scanner.end();
        return recorder.events.join('\n');
      } catch (error) {
        expect(error).toMatchObject({ name: 'XmlFault' });
        return 'fault';
      }
    };
    const flip = fc.record({ at: fc.nat(10_000), byte: fc.nat(255) });
    fc.assert(
      fc.property(
        node,
        fc.array(flip, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 50 }),
        (n, flips, k) => {
          const bytes = Buffer.from(`<?xml version="1.0" encoding="utf-8"?>${written(n)}`);
          for (const { at, byte } of flips) bytes[at % bytes.length] = byte;
          expect(outcome(bytes, k)).toBe(outcome(bytes, bytes.length));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('ends for any bytes at all', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.constantFrom('', '<a>', '<a b="', '<![CDATA['),
        (bytes, head) => {
          try {
            scanXml('x.xml', Buffer.concat([Buffer.from(head), bytes]), new Recorder());
          } catch (error) {
            expect(error).toBeInstanceOf(BadMetadataError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
