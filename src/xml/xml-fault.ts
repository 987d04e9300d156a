/** Something wrong in an XML document, at a byte of it; told to users as a BadMetadataError that names the file. */
export class XmlFault extends Error {
  readonly byteOffset: number;
  readonly detail: string;

  constructor(byteOffset: number, detail: string) {
    super(`byte ${byteOffset}: ${detail}`);
    this.name = 'XmlFault';
    this.byteOffset = byteOffset;
    this.detail = detail;
  }
}
