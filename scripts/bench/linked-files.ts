import { copyFileSync, linkSync } from 'node:fs';

/** ext4 takes 65,000 names per file (EXT4_LINK_MAX). */
const MAX_LINKS = 60_000;

/** Many names for the bytes of one file: a large plate in the time it takes to make its names. */
export class LinkedFiles {
  #content: string;
  #links = 1;

  /** @param content - A file that lies on the same disk as the names to come. */
  constructor(content: string) {
    this.#content = content;
  }

  add(path: string): void {
    if (this.#links >= MAX_LINKS) {
      copyFileSync(this.#content, path);
      this.#content = path;
      this.#links = 1;
      return;
    }
    linkSync(this.#content, path);
    this.#links += 1;
  }
}
