const MAX_PATH_CHARACTERS = 4096;

/**
 * A path as instrument metadata records it, as a path below the plate: `Projection/a.tif`. Backslashes separate
 * folders, as instruments run Windows. Undefined for what could lead out of the plate or is no path: absolute
 * paths, drive letters, `..`, control characters, nothing at all, or thousands of characters.
 */
export function recordedPath(text: string): string | undefined {
  if (text.length > MAX_PATH_CHARACTERS) return undefined;
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) < 0x20) return undefined;
  if (/^(?:[\\/]|[a-z]:)/i.test(text)) return undefined;
  if (!/[\\/]/.test(text)) return text === '' || text === '.' || text === '..' ? undefined : text;
  const parts = text.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
  return parts.length === 0 || parts.includes('..') ? undefined : parts.join('/');
}
