import type { LdapSettings } from '../../config/access/ldap.settings.js';
import { isBelow, parseDn, type Rdn } from './dn.js';

const maxLength = 256;

/** Tells the names of groups, and which groups count. */
export class GroupNames {
  private readonly type: string;
  /** Null for a base that no group can be below. */
  private readonly base: readonly Rdn[] | undefined | null;

  constructor({ groupName, groupBase }: Pick<LdapSettings, 'groupName' | 'groupBase'>) {
    this.type = groupName.toLowerCase();
    this.base = groupBase === undefined ? undefined : (parseDn(groupBase) ?? null);
  }

  /** Of a list of DNs: each begins with the name. Other texts count for nothing. */
  ofDns(dns: readonly string[]): string[] {
    return dns.flatMap((dn) => {
      const parts = this.base === null ? undefined : parseDn(dn);
      const [first] = parts ?? [];
      if (!parts || first?.type !== this.type || (this.base && !isBelow(parts, this.base))) return [];
      return isName(first.value) ? [first.value] : [];
    });
  }
}

function isName(name: string): boolean {
  return name !== '' && name.length <= maxLength;
}
