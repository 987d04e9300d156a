import { BadParameterError } from '../core/errors.ts';
import { parsePlaneName } from '../model/plane-name.ts';
import { wellName } from '../model/well.ts';

const OF_THE_PATH = ['dir', 'stem', 'ext', 'name'] as const;
const OF_THE_PLANE = ['well', 'site', 'channel', 'z', 't'] as const;
const PLACEHOLDERS: readonly string[] = [...OF_THE_PATH, ...OF_THE_PLANE];

const PLACEHOLDER = /\{([^{}]*)\}/g;

/** Checks a template without an input. @throws BadParameterError */
export function checkTemplate(template: string): void {
  for (const [whole, word = ''] of template.matchAll(PLACEHOLDER)) {
    if (!PLACEHOLDERS.includes(word)) {
      throw new BadParameterError(
        'outputs',
        `'${template}' holds ${whole}; known are ${PLACEHOLDERS.map((name) => `{${name}}`).join(' ')}`,
      );
    }
  }
  if (/[{}]/.test(template.replaceAll(PLACEHOLDER, ''))) {
    throw new BadParameterError('outputs', `'${template}' has a brace without its partner`);
  }
}

function parts(mountPath: string): Readonly<Record<string, string>> {
  const slash = mountPath.lastIndexOf('/');
  const name = mountPath.slice(slash + 1);
  const dot = name.lastIndexOf('.');
  const extensionAt = dot > 0 ? dot : name.length;
  const pad3 = (value: number): string => String(value).padStart(3, '0');
  const plane = parsePlaneName(name)?.address;
  return {
    dir: mountPath.slice(0, Math.max(0, slash)),
    name,
    stem: name.slice(0, extensionAt),
    ext: name.slice(extensionAt),
    ...(plane && {
      well: wellName(plane.well),
      site: pad3(plane.site),
      channel: String(plane.channel),
      z: pad3(plane.z),
      t: pad3(plane.t),
    }),
  };
}

/**
 * The path below the mount that a template gives for an input. `{dir}` is the input's folder ('' at the root),
 * `{name}` = `{stem}{ext}`; `{well} {site} {channel} {z} {t}` are spelt as in canonical names (`A01`, `001`,
 * `1`, `001`, `001`).
 * @throws BadParameterError when the template is wrong, asks for what the input's name does not say, or leaves
 * the mount.
 */
export function resolveTemplate(template: string, mountPath: string): string {
  checkTemplate(template);
  const known = parts(mountPath);
  const filled = template.replaceAll(PLACEHOLDER, (whole, word: string) => {
    const value = known[word];
    if (value === undefined) {
      throw new BadParameterError(
        'outputs',
        `'${template}' needs ${whole}, but ${mountPath} is not named like A01_s001_w1_z001_t001.tif`,
      );
    }
    return value;
  });
  const path = template.startsWith('{dir}/') && known['dir'] === '' ? filled.slice(1) : filled;
  const segments = path.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw new BadParameterError(
      'outputs',
      `'${template}' gives '${path}'; write a path below the mount, like results/{stem}.tif`,
    );
  }
  return path;
}
