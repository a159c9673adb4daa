/** Who sent a request, as its credentials have shown. */
export interface Identity {
  /** `anonymous`, or its kind and name: `user:anna`, `robot:ci`, `github:acme/app`. */
  readonly subject: string;
  /** Without their kind. */
  readonly groups: readonly string[];
  /** Claims of an issuer's token that rules may use, as text. */
  readonly claims: Readonly<Record<string, string>>;
}

export const anonymous: Identity = { subject: 'anonymous', groups: [], claims: {} };

export function isAnonymous({ subject }: Identity): boolean {
  return subject === 'anonymous';
}

/** What fills `{user}` and `{claim:…}` in a pattern. Only users and robots have a name that is theirs alone. */
export function fillingOf({ subject, claims }: Identity): (placeholder: string) => string | undefined {
  return (placeholder) => {
    if (placeholder === 'user') return /^user:(.*)$/s.exec(subject)?.[1];
    const claim = placeholder.slice('claim:'.length);
    return Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  };
}

/** @param groups lists of user names by group, from the access file */
export function userIdentity(name: string, groups: Readonly<Record<string, readonly string[]>>): Identity {
  const own = Object.keys(groups).filter((group) => groups[group]?.includes(name));
  return { subject: `user:${name}`, groups: own, claims: {} };
}

/** Somebody as an operator names them, in place of credentials. */
export interface NamedSubject {
  /** `anonymous`, or a kind and a name such as `user:anna`. */
  readonly as: string;
  /** Beside those of the access file. */
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
}

/** @param groups of the access file, as `userIdentity` takes them */
export function namedIdentity(
  { as, groups, claims }: NamedSubject,
  own: Readonly<Record<string, readonly string[]>>,
): Identity {
  if (as === anonymous.subject) return anonymous;
  const [, user] = /^user:(.*)$/s.exec(as) ?? [];
  return { subject: as, groups: [...(user === undefined ? [] : userIdentity(user, own).groups), ...groups], claims };
}
