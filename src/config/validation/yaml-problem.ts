import { YAMLException } from 'js-yaml';
import type { Problem } from '../configuration-error.js';

/**
 * Why a text is no YAML, and at which line. The parser quotes the text around a mistake, which may contain a password, so
 * the reason is cut at the first quote, colon or tag.
 */
export function yamlProblem(path: string, error: unknown, text: string): Problem {
  const mark = error instanceof YAMLException ? error.mark : undefined;
  const known = error instanceof YAMLException ? error.reason.replace(/["'<!:].*$/s, '…') : 'unreadable';
  const tab = mark && lineWithTab(text, mark.line);
  const reason = tab === undefined ? known : 'a tab in the indentation, where YAML takes spaces only';
  const line = tab ?? (mark && mark.line + 1);
  return { path, kind: 'text', reason: `is not valid YAML: ${reason}`, line };
}

/** The line of a tab that indents, from 1: the one at which the parser gave up, from 0, or the one before. */
function lineWithTab(text: string, last: number): number | undefined {
  const lines = text.split('\n');
  return [last, last + 1].find((line) => /^[ -]*\t[ \t-]*[^\s#]/.test(lines[line - 1] ?? ''));
}
