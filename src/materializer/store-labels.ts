import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import type { NgffVersion } from '../model/ngff.ts';
import { nameExists } from './atomic-json.ts';
import { attributesName, groupDocuments, readGroup } from './group-documents.ts';
import { labelledImage, labelsGroup } from './label-images.ts';
import { type ResultImage, readResultImage } from './result-image.ts';
import { type MetadataFile, metadataFiles } from './store-documents.ts';

/** Labels of an image by path below the store; one that is not listed was left by a crash. */
type Labels = Map<string, { image: ResultImage; isListed: boolean }>;

/** The labels of images of a store, read when they are first asked for. Does not write. */
export class StoreLabels {
  private readonly storePath: string;
  private readonly known = new Map<string, Labels>();

  constructor(storePath: string) {
    this.storePath = storePath;
  }

  /** Forgets everything. */
  reload(): void {
    this.known.clear();
  }

  /** All labels of an image, also those that a crash left unlisted. */
  of(version: NgffVersion, imagePath: string): ResultImage[] {
    return [...this.labels(version, imagePath).values()].map(({ image }) => image);
  }

  /** Whether labels of an image are listed. */
  has(version: NgffVersion, imagePath: string): boolean {
    return [...this.labels(version, imagePath).values()].some(({ isListed }) => isListed);
  }

  /** Forgets the labels of an image that is to go. */
  forget(imagePath: string): void {
    this.known.delete(imagePath);
  }

  /** A free path for a label of an image; `taken` are paths promised to others. */
  freePath(version: NgffVersion, imagePath: string, name: string, taken: ReadonlySet<string>): string {
    const labels = this.labels(version, imagePath);
    for (let attempt = 1; ; attempt++) {
      const path = `${labelsGroup(imagePath)}/${attempt === 1 ? name : `${name}_${attempt}`}`;
      if (!labels.has(path) && !taken.has(path) && !nameExists(`${this.storePath}/${path}`)) return path;
    }
  }

  /** Takes over a label that was placed or has grown; the list that names it. */
  admit(version: NgffVersion, image: ResultImage): MetadataFile[] {
    const imagePath = labelledImage(image.path);
    const labels = this.labels(version, imagePath);
    labels.set(image.path, { image, isListed: true });
    return this.list(version, imagePath);
  }

  /** Takes a label out; the list without it, nothing where it was the last: then the whole group is to go. */
  dismiss(version: NgffVersion, path: string): MetadataFile[] {
    const imagePath = labelledImage(path);
    const labels = this.labels(version, imagePath);
    labels.delete(path);
    if (this.has(version, imagePath)) return this.list(version, imagePath);
    this.known.delete(imagePath);
    return [];
  }

  /** `labels` names groups: it appears after them. */
  private list(version: NgffVersion, imagePath: string): MetadataFile[] {
    const labels = [...this.labels(version, imagePath)]
      .filter(([, { isListed }]) => isListed)
      .map(([path]) => basename(path))
      .toSorted();
    const documents = groupDocuments(version, { labels });
    return metadataFiles(labelsGroup(imagePath), documents, (name) =>
      name === attributesName(version) ? 'well' : 'array',
    );
  }

  private labels(version: NgffVersion, imagePath: string): Labels {
    const known = this.known.get(imagePath);
    if (known) return known;
    const labels: Labels = new Map();
    this.known.set(imagePath, labels);
    const group = labelsGroup(imagePath);
    const folder = `${this.storePath}/${group}`;
    if (!nameExists(folder)) return labels;
    const named = readGroup(version, folder)?.ngff['labels'];
    const listed = new Set(Array.isArray(named) ? (named as unknown[]) : []);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const path = `${group}/${entry.name}`;
      const image = readResultImage(version, this.storePath, path);
      if (image) labels.set(path, { image, isListed: listed.has(entry.name) });
    }
    return labels;
  }
}
