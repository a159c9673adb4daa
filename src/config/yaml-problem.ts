import { YAMLException } from 'js-yaml';
import type { Problem } from './configuration-error.js';

/**
 * Why a text is no YAML. The parser quotes the text around a mistake, which may contain a password, so the reason is cut
 * at the first quote, colon or tag.
 */
export function yamlProblem(path: string, error: unknown): Problem {
  const place = error instanceof YAMLException && error.mark ? ` at line ${error.mark.line + 1}` : '';
  const reason = error instanceof YAMLException ? error.reason.replace(/["'<!:].*$/s, '…') : 'unreadable';
  return { path, kind: 'text', reason: `is not valid YAML: ${reason}${place}` };
}
