import { BadParameterError } from '../core/errors.ts';

const REGEXP_SPECIAL = /[\\^$.*+?()[\]{}|/]/g;
const literal = (text: string): string => text.replaceAll(REGEXP_SPECIAL, '\\$&');

/** A name's first character may not be a dot unless the glob writes it: temporary files stay out. */
const NO_LEADING_DOT = '(?!\\.)';

function fault(glob: string, detail: string): BadParameterError {
  return new BadParameterError('on', `'${glob}' ${detail}`);
}

/** Index just past the class that opens at `start`, or an error. */
function classEnd(glob: string, start: number): number {
  let i = start + 1;
  if (glob[i] === '!' || glob[i] === '^') i++;
  if (glob[i] === ']') i++;
  while (i < glob.length && glob[i] !== ']') i++;
  if (i >= glob.length) throw fault(glob, "has a '[' without ']'; write \\[ for the character itself");
  return i + 1;
}

function classPattern(glob: string, text: string): string {
  const negated = text[1] === '!' || text[1] === '^';
  const members = text.slice(negated ? 2 : 1, -1).replaceAll(/[\\\]^[]/g, '\\$&');
  for (const [, from = '', to = ''] of members.matchAll(/([^-])-([^-])/g)) {
    if (from > to) throw fault(glob, `has a backward range ${from}-${to}`);
  }
  return `(?!/)[${negated ? '^' : ''}${members}]`;
}

/**
 * A test for paths below the mount's root (`inbox/a.tif`, no slash in front). `*` and `?` stay within a name,
 * `**` as a whole segment stands for any number of folders, `{a,b}` for either, `[a-c]` and `[!a-c]` for one
 * character, `\` takes the next character as it is. Case matters. A wildcard at the front of a name does not
 * match a dot.
 * @throws BadParameterError for an unclosed brace or bracket, an empty glob, or one that begins with a slash.
 */
export function globMatcher(glob: string): (path: string) => boolean {
  if (glob === '' || glob.startsWith('/')) {
    throw fault(glob, 'must be a path below the mount without a slash in front, like inbox/*.tif');
  }
  let pattern = '';
  let depth = 0;
  let nameStart = true;
  for (let i = 0; i < glob.length; ) {
    const rest = glob.slice(i);
    const doubleStar = nameStart ? /^\*\*(\/|$)/.exec(rest) : null;
    if (doubleStar) {
      pattern += doubleStar[1] === '/' ? '(?:(?!\\.)[^/]+/)*' : '(?:(?!\\.)[^/]+/)*(?!\\.)[^/]+';
      i += doubleStar[0].length;
      continue;
    }
    const character = glob[i] as string;
    const guard: string = nameStart ? NO_LEADING_DOT : '';
    nameStart = false;
    i++;
    if (character === '*') {
      while (glob[i] === '*') i++;
      // `*` alone must not match an empty name
      const alone = guard !== '' && (i >= glob.length || glob[i] === '/');
      pattern += `${guard}[^/]${alone ? '+' : '*'}`;
    } else if (character === '?') pattern += `${guard}[^/]`;
    else if (character === '[') {
      const end = classEnd(glob, i - 1);
      pattern += guard + classPattern(glob, glob.slice(i - 1, end));
      i = end;
    } else if (character === '{') {
      depth++;
      pattern += '(?:';
      nameStart = guard !== '';
    } else if (character === '}' && depth > 0) {
      depth--;
      pattern += ')';
    } else if (character === ',' && depth > 0) {
      pattern += '|';
      nameStart = /(?:^|\/)\{[^{}/]*$/.test(glob.slice(0, i - 1));
    } else if (character === '\\') {
      if (i >= glob.length) throw fault(glob, 'ends with a backslash');
      pattern += literal(glob[i] as string);
      i++;
    } else {
      pattern += literal(character);
      nameStart = character === '/';
    }
  }
  if (depth > 0) throw fault(glob, "has a '{' without '}'; write \\{ for the character itself");
  const compiled = new RegExp(`^${pattern}$`, 'su');
  return (path) => compiled.test(path);
}

/** A few paths that the glob matches, with each wildcard standing for `standIn`: to try a rule on. */
export function samplePaths(glob: string, standIn: string): readonly string[] {
  const brace = /\{([^{}]*)\}/.exec(glob);
  if (brace) {
    const [whole, choices = ''] = brace;
    return choices
      .split(',')
      .flatMap((choice) =>
        samplePaths(glob.slice(0, brace.index) + choice + glob.slice(brace.index + whole.length), standIn),
      );
  }
  const matches = globMatcher(glob);
  const filled = (folders: string): string =>
    glob
      .replaceAll(/(^|\/)\*\*(?=\/|$)/g, (_, slash: string) => `${slash}${folders}`)
      .replaceAll(/(?<!\\)\*+/g, standIn)
      .replaceAll(/(?<!\\)\?/g, 'x')
      .replaceAll(/\[[!^]?(.)[^\]]*\]/g, '$1')
      .replaceAll(/\\(.)/g, '$1');
  return [filled('x'), filled('x/y'), filled('').replaceAll(/^\/|\/(?=\/)/g, '')].filter(
    (path, index, all) => matches(path) && all.indexOf(path) === index,
  );
}
