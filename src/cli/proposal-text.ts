import { shellWord } from '../core/shell-word.ts';
import type { LayoutProposal } from '../formats.ts';

const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ');
const TOKEN_WIDTH = 11;
const EXAMPLES_WIDTH = 34;

/** What the names of an unrecognised folder might say, for people: parts, examples, and the command to use. */
export function proposalText(folder: string, proposal: LayoutProposal): string {
  const { template, parts, examples, images, matched, collisions } = proposal;
  const lines = [
    `No format recognises ${folder}. Going by their names alone, its images might be read as`,
    '',
    `  ${plain(template)}`,
    '',
  ];
  for (const { token, examples: texts, distinct, why } of parts) {
    const shown = plain(texts.join(', ')) + (distinct > texts.length ? `, … (${distinct})` : '');
    lines.push(`  ${token.padEnd(TOKEN_WIDTH)}${shown.padEnd(EXAMPLES_WIDTH)}  ${why}`);
  }
  lines.push('');
  for (const { path, name } of examples) lines.push(`  ${plain(path)}  →  ${name}`);
  lines.push('', `It reads ${matched} of ${images} images looked at.`);
  if (collisions > 0)
    lines.push(
      `${collisions} of them would have the name of another one: a part that matters is a * or missing.`,
    );
  lines.push(
    'Change what is wrong: {well} {row} {column} {site} {channel} {z} {t} may stand anywhere, * is any text.',
    'See the whole of it, then mount it:',
    '',
    `  platefs inspect ${shellWord(folder)} --layout ${shellWord(template)}`,
    `  platefs mount ${shellWord(folder)} MOUNTPOINT --layout ${shellWord(template)}`,
    '',
    'Or see each file by what it holds, without reading the names:',
    '',
    `  platefs mount ${shellWord(folder)} MOUNTPOINT --as sources`,
  );
  return `${lines.join('\n')}\n`;
}
