/** A scope as clients request it: `repository:team/app:pull,push`. */
export interface Scope {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/** More than any client asks for at once; BuildKit asks for one scope of each repository of a build. */
const maxScopes = 100;
const maxLength = 16 * 1024;

/**
 * Reads the scopes of a token request: parameters that repeat, and scopes joined by spaces. Each is cut at its first and
 * last colon, since names can have ports; a class behind the type, `repository(plugin)`, is left out (Docker token
 * specification, "Scope"). What is no scope is ignored.
 */
export function parseScopes(texts: readonly string[]): Scope[] {
  return texts
    .join(' ')
    .slice(0, maxLength)
    .split(' ')
    .filter((text) => text !== '')
    .slice(0, maxScopes)
    .flatMap((text) => {
      const [first, last] = [text.indexOf(':'), text.lastIndexOf(':')];
      const type = text.slice(0, first).replace(/\([^()]*\)$/, '');
      if (first === -1 || first === last || !/^[a-z0-9]+$/.test(type)) return [];
      const actions = text
        .slice(last + 1)
        .split(',')
        .filter((action) => action !== '');
      return [{ type, name: text.slice(first + 1, last), actions: [...new Set(actions)] }];
    });
}

export function formatScope({ type, name, actions }: Scope): string {
  return `${type}:${name}:${actions.join(',')}`;
}
