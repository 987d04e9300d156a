/**
 * Starts PlateFS from JavaScript: Node can run the TypeScript sources as they are, but then every process and
 * thread carries the type stripper (about 12 MB each) and starts later. So the types are stripped once per version of the
 * sources, into a cache folder, and the sources themselves run only where no cache can be written.
 */
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCE = join(ROOT, 'src');
/** Relative module specifiers, in imports and in `new URL('./x.ts', import.meta.url)`. */
const SPECIFIER = /(['"])(\.{1,2}\/[^'"\n]*)\.ts\1/g;
/** Stripped code of older sources is dropped after this time. */
const KEPT_MS = 7 * 24 * 3600 * 1000;

/** @returns {{ path: string, text: string }[]} every source file, relative to src, with what tells versions apart */
function sourceFiles() {
  return readdirSync(SOURCE, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.as.ts'))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { size, mtimeMs, ino } = statSync(path);
      return { path: path.slice(SOURCE.length + 1), text: `${path} ${size} ${mtimeMs} ${ino}` };
    });
}

function versionOf(files) {
  const hash = createHash('sha256').update(process.version);
  for (const { text } of files) hash.update(text).update('\n');
  return hash.digest('hex').slice(0, 20);
}

/** Where stripped code may be kept: beside the packages, else in the user's cache. */
function cacheFolders() {
  const { XDG_CACHE_HOME: cache } = process.env;
  return [
    join(ROOT, 'node_modules', '.cache', 'platefs'),
    join(cache?.startsWith('/') ? cache : join(homedir(), '.cache'), 'platefs', 'code'),
  ];
}

const isThere = (path) => statSync(path, { throwIfNoEntry: false }) !== undefined;

/** Only code that we or the owner of the checkout wrote is run. */
function isTrusted(folder) {
  const { uid } = statSync(folder);
  return uid === process.getuid() || uid === statSync(ROOT).uid;
}

/** Versions that running processes were started from: a mount's next daemon must find its code. */
function versionsInUse() {
  const commands = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8');
      } catch {
        // It ended meanwhile, or is hidden from us; then its code is young enough or not ours to drop.
        return '';
      }
    });
  return (version) => commands.some((command) => command.includes(version));
}

function dropOldVersions(folder, current) {
  const isInUse = versionsInUse();
  for (const name of readdirSync(folder)) {
    const madeMs = statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (name === current || Date.now() - madeMs < KEPT_MS || isInUse(name)) continue;
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function strip(files, folder, version) {
  mkdirSync(folder, { recursive: true });
  const temporary = join(folder, `${version}.${process.pid}`);
  for (const { path } of files) {
    const target = join(temporary, 'src', path.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    const text = stripTypeScriptTypes(readFileSync(join(SOURCE, path), 'utf8'), { mode: 'strip' });
    writeFileSync(target, text.replace(SPECIFIER, '$1$2.js$1'));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(temporary, 'node_modules'));
  writeFileSync(join(temporary, 'package.json'), readFileSync(join(ROOT, 'package.json')));
  try {
    renameSync(temporary, join(folder, version));
  } catch (error) {
    // Another start was quicker.
    rmSync(temporary, { recursive: true, force: true });
    if (!isThere(join(folder, version))) throw error;
  }
  dropOldVersions(folder, version);
}

/** The module to run. */
function entry() {
  const files = sourceFiles();
  const version = versionOf(files);
  for (const folder of cacheFolders()) {
    const built = join(folder, version);
    if (isThere(built) && isTrusted(built)) return join(built, 'src', 'index.js');
  }
  for (const folder of cacheFolders()) {
    try {
      strip(files, folder, version);
      return join(folder, version, 'src', 'index.js');
    } catch (error) {
      if (!['EACCES', 'EROFS', 'ENOENT', 'ENOTDIR', 'EPERM', 'ENOSPC', 'EDQUOT'].includes(error?.code))
        throw error;
    }
  }
  return join(SOURCE, 'index.ts');
}

await import(pathToFileURL(entry()).href);
