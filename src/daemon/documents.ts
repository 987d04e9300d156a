import { writeFileSync } from 'node:fs';
import { errnoOf } from '../core/errno.ts';
import { FsRefusal } from '../core/errors.ts';
import { attributesBody, entryBody, openBody } from '../fuse/reply.ts';
import { replyTo } from '../fuse/reply-writer.ts';
import { S_IFREG } from '../overlay/inode.ts';
import type { NodeAttributes } from '../vfs/file-system.ts';
import type { DocumentJob } from '../vfs/jobs.ts';
import { FOPEN_DIRECT_IO } from '../vfs/open-files.ts';

/** Renders a document as it is now. */
export type DocumentText = () => string | Promise<string>;

/** A document's length is remembered this long, so that `ls -l` and what follows it agree. */
const KEEP_MS = 1000;

/**
 * Serves documents that the main thread writes: rendered when somebody looks, a snapshot per open. Every reader
 * sees the whole of what was true when it opened the file.
 */
export class Documents {
  readonly #fuseFd: number;
  readonly #texts: ReadonlyMap<number, DocumentText>;
  readonly #owner: { readonly uid: number; readonly gid: number };
  readonly #recent = new Map<number, { bytes: Buffer; untilMs: number }>();
  readonly #opened = new Map<bigint, Buffer>();
  #nextHandle: bigint;

  constructor(fuseFd: number, texts: ReadonlyMap<number, DocumentText>, owner: { uid: number; gid: number }) {
    this.#fuseFd = fuseFd;
    this.#texts = texts;
    this.#owner = owner;
    // Handles of a daemon that died are not taken for ours.
    this.#nextHandle = BigInt(Date.now()) << 16n;
  }

  async #render(node: number): Promise<Buffer> {
    const recent = this.#recent.get(node);
    if (recent && recent.untilMs > performance.now()) return recent.bytes;
    const text = this.#texts.get(node);
    if (!text) throw new FsRefusal('no-such-entry');
    const bytes = Buffer.from(await text());
    this.#recent.set(node, { bytes, untilMs: performance.now() + KEEP_MS });
    return bytes;
  }

  /** Writes the document's bytes of this moment to a file. @returns the error when that fails. */
  async stage(node: number, stagedPath: string): Promise<unknown> {
    this.#recent.delete(node);
    try {
      writeFileSync(stagedPath, await this.#render(node), { mode: 0o600 });
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #attributes(node: number, sizeBytes: number): NodeAttributes {
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    return {
      ino: node,
      sizeBytes,
      blocks: Math.ceil(sizeBytes / 512),
      atimeNs: nowNs,
      mtimeNs: nowNs,
      ctimeNs: nowNs,
      mode: S_IFREG | 0o444,
      nlink: 1,
      uid: this.#owner.uid,
      gid: this.#owner.gid,
      rdev: 0,
      blockSizeBytes: 65_536,
    };
  }

  async #body(job: DocumentJob): Promise<readonly Uint8Array[]> {
    const { node, request } = job;
    switch (request.op) {
      case 'lookup': {
        const attributes = this.#attributes(node, (await this.#render(node)).length);
        return [entryBody({ node, entryTimeoutMs: 86_400_000, attrTimeoutMs: 0, attributes })];
      }
      case 'getattr':
        return [
          attributesBody({
            attrTimeoutMs: 0,
            attributes: this.#attributes(node, (await this.#render(node)).length),
          }),
        ];
      case 'open': {
        const handle = this.#nextHandle++;
        this.#opened.set(handle, await this.#render(node));
        return [openBody({ handle, openFlags: FOPEN_DIRECT_IO })];
      }
      case 'read': {
        const bytes = this.#opened.get(request.handle) ?? (await this.#render(node));
        return [bytes.subarray(request.offsetBytes, request.offsetBytes + request.sizeBytes)];
      }
      case 'release':
        this.#opened.delete(request.handle);
        return [];
    }
  }

  /** Answers a request on the device. */
  async answer(job: DocumentJob): Promise<void> {
    const { uniqueLow, uniqueHigh, request } = job;
    let outcome: number | readonly Uint8Array[];
    try {
      outcome = await this.#body(job);
    } catch (error) {
      outcome = errnoOf(error);
    }
    // The session has answered a release already.
    if (request.op !== 'release') replyTo(this.#fuseFd, uniqueLow, uniqueHigh, outcome);
  }
}
