import { BadParameterError } from '../core/errors.ts';

/** What a template can say of a plane. */
export const TEMPLATE_TOKENS = [
  'well',
  'row',
  'column',
  'site',
  'field',
  'channel',
  'z',
  't',
  'ext',
] as const;
export type TemplateToken = (typeof TEMPLATE_TOKENS)[number];

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  /** `width` is the least number of digits; 0 where the template doesn't say. */
  | { readonly kind: 'token'; readonly token: TemplateToken; readonly width: number }
  /** `*`: any text within a name. */
  | { readonly kind: 'any' };

/** Where a template was given and what it is, for messages. */
export interface TemplateOrigin {
  /** `--names`, or the key of a definition. */
  readonly parameter: string;
  readonly template: string;
}

/** Longer than any path of ten names; a template is written by hand. */
const MAX_TEMPLATE_LENGTH = 1000;
const MAX_SEGMENTS = 16;
const MAX_SHOWN = 60;

const known = TEMPLATE_TOKENS.map((token) => `{${token}}`).join(' ');

/** The text of a template as a message shows it. */
export function shownTemplate(template: string): string {
  const plain = template.replaceAll(/\p{Cc}/gu, '?');
  return plain.length > MAX_SHOWN ? `${plain.slice(0, MAX_SHOWN - 1)}…` : plain;
}

/** @throws BadParameterError always: what is wrong with a template, and what to write. */
export function refuseTemplate({ parameter, template }: TemplateOrigin, fault: string): never {
  throw new BadParameterError(parameter, `'${shownTemplate(template)}' ${fault}`);
}

function tokenOf(origin: TemplateOrigin, inner: string): TemplatePart {
  const colon = inner.indexOf(':');
  const name = colon < 0 ? inner : inner.slice(0, colon);
  const token = TEMPLATE_TOKENS.find((candidate) => candidate === name);
  if (!token)
    refuseTemplate(origin, `holds {${shownTemplate(inner)}}; known are ${known}, and {{ }} for braces`);
  if (colon < 0) return { kind: 'token', token, width: 0 };
  if (token === 'well' || token === 'ext')
    refuseTemplate(origin, `holds {${inner}}, which is no number; write {${token}}`);
  const width = /^0([1-9])$/.exec(inner.slice(colon + 1))?.[1];
  if (width === undefined)
    refuseTemplate(
      origin,
      `holds {${shownTemplate(inner)}}; write {${token}:03} for at least three digits, or {${token}}`,
    );
  return { kind: 'token', token, width: Number(width) };
}

function checkSegments(origin: TemplateOrigin, segments: readonly TemplatePart[][]): void {
  if (segments.length > MAX_SEGMENTS)
    refuseTemplate(origin, `has ${segments.length} names in a row; at most ${MAX_SEGMENTS} work`);
  for (const parts of segments) {
    const [only] = parts;
    if (!only) refuseTemplate(origin, 'has an empty name: it begins or ends with /, or has // in it');
    if (parts.length === 1 && only.kind === 'text' && (only.text === '.' || only.text === '..'))
      refuseTemplate(origin, `holds '${only.text}', which leads elsewhere; write names only`);
  }
}

/**
 * Reads a template into names, and each name into its parts. `{site:03}` asks for three digits at least, `{{` and
 * `}}` are braces, `/` stands between folders, `*` is any text.
 * @throws BadParameterError that says what is wrong and what to write.
 */
export function parseTemplate(origin: TemplateOrigin): TemplatePart[][] {
  const { template } = origin;
  if (template === '') refuseTemplate(origin, 'is empty; write for instance {well}_s{site:03}{ext}');
  if (template.length > MAX_TEMPLATE_LENGTH)
    refuseTemplate(origin, `is ${template.length} characters long; at most ${MAX_TEMPLATE_LENGTH} work`);
  if (/\p{Cc}/u.test(template) || !template.isWellFormed())
    refuseTemplate(origin, 'holds a control character, which names should not have');
  let parts: TemplatePart[] = [];
  const segments = [parts];
  let text = '';
  const endText = (): void => {
    if (text !== '') parts.push({ kind: 'text', text });
    text = '';
  };
  for (let at = 0; at < template.length; at += 1) {
    const unit = template.charAt(at);
    if ((unit === '{' || unit === '}') && template.charAt(at + 1) === unit) {
      text += unit;
      at += 1;
    } else if (unit === '{') {
      const end = template.indexOf('}', at);
      if (end < 0) refuseTemplate(origin, 'has a { without its }; write {{ for a brace itself');
      endText();
      parts.push(tokenOf(origin, template.slice(at + 1, end)));
      at = end;
    } else if (unit === '}') refuseTemplate(origin, 'has a } without its {; write }} for a brace itself');
    else if (unit === '*') {
      endText();
      parts.push({ kind: 'any' });
    } else if (unit === '/') {
      endText();
      segments.push((parts = []));
    } else text += unit;
  }
  endText();
  checkSegments(origin, segments);
  return segments;
}

/** A text as it is written in a template: braces doubled. */
export const escapeTemplateText = (text: string): string => text.replaceAll(/[{}]/g, '$&$&');
