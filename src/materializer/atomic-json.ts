import { lstatSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { BadZarrError } from '../core/errors.ts';
import { storage } from '../core/storage.ts';
import { makeFolders, writeStaged } from './staged-file.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');

/** The object in a JSON file, undefined when the file is missing. @throws BadZarrError when it is damaged. */
export function readJson(path: string): JsonObject | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (cause) {
    throw new BadZarrError(path, 'not JSON', { cause });
  }
  throw new BadZarrError(path, 'not a JSON object');
}

/** As our documents are written. */
export const jsonBytes = (value: object): Buffer => Buffer.from(JSON.stringify(value, null, 2));

export function writeJson(path: string, value: object): void {
  writeStaged(path, jsonBytes(value));
}

/** Moves a staged file or folder into its place and makes the folders above it. */
export function place(stagedPath: string, path: string): void {
  try {
    storage.rename(stagedPath, path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    makeFolders(dirname(path));
    storage.rename(stagedPath, path);
  }
}

/** Whether anything has this name; a dangling link counts. */
export function nameExists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
