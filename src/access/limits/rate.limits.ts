import type { LimitSettings } from '../../config/access/limit.settings.js';
import { isOf } from '../rules/access.rules.js';
import { isAnonymous, type Identity } from '../rules/identity.js';
import { Budgets, type Remainder } from './budgets.js';
import { networkOf } from './network.of.js';

export const limitKinds = ['pulls', 'pushes', 'bytes'] as const;
export type LimitKind = (typeof limitKinds)[number];

interface Limit {
  readonly settings: LimitSettings;
  readonly budgets: Readonly<Partial<Record<LimitKind, Budgets>>>;
}

/** What one client may still use. */
export class Allotment {
  /** @param hasMoreSignedIn whether somebody at the same address may have some left after signing in */
  constructor(
    private readonly limit: Limit,
    private readonly key: string,
    readonly hasMoreSignedIn: (kind: LimitKind) => boolean,
  ) {}

  /** Undefined where there is no limit. */
  remainder(kind: LimitKind): Remainder | undefined {
    return this.limit.budgets[kind]?.remainder(this.key);
  }

  use(kind: LimitKind, amount: number): void {
    this.limit.budgets[kind]?.use(this.key, amount);
  }

  counts(kind: LimitKind): boolean {
    return this.limit.budgets[kind] !== undefined;
  }
}

/** The limits of the access file, counted by this process. */
export class RateLimits {
  private readonly limits: readonly Limit[];

  /** @param now monotonic, in milliseconds. @param previous of an earlier version of the access file: what was used counts on */
  constructor(settings: readonly LimitSettings[], now: () => number, previous?: RateLimits) {
    this.limits = settings.map((each) => {
      const same = previous?.limits.find((other) => JSON.stringify(other.settings) === JSON.stringify(each));
      return same ?? { settings: each, budgets: budgetsOf(each, now) };
    });
  }

  get isEmpty(): boolean {
    return this.limits.length === 0;
  }

  /** By the first entry that is for whoever sent a request; undefined when none is. */
  find(identity: Identity, address: string): Allotment | undefined {
    const limit = this.limits.find(({ settings }) => settings.who.some((who) => isFor(identity, who)));
    if (!limit) return undefined;
    const isByAddress = limit.settings.per === 'address' || isAnonymous(identity);
    const key = isByAddress ? networkOf(address) : identity.subject;
    return new Allotment(limit, key, (kind) => this.hasMoreSignedIn(kind, address));
  }

  private hasMoreSignedIn(kind: LimitKind, address: string): boolean {
    for (const { settings, budgets } of this.limits) {
      if (settings.who.every((who) => who === 'anonymous')) continue;
      const shared = settings.per === 'address' ? budgets[kind]?.remainder(networkOf(address)) : undefined;
      if (shared?.left !== 0) return true;
      if (settings.who.includes('authenticated')) return false;
    }
    return true;
  }
}

/** Here `anonymous` is whoever has not signed in: a limit for them must not be one for everybody. */
function isFor(identity: Identity, who: string): boolean {
  return who === 'anonymous' ? isAnonymous(identity) : isOf(identity, who);
}

function budgetsOf({ pulls, pushes, bytes }: LimitSettings, now: () => number): Limit['budgets'] {
  return {
    ...(pulls && { pulls: new Budgets(pulls, now) }),
    ...(pushes && { pushes: new Budgets(pushes, now) }),
    ...(bytes && { bytes: new Budgets(bytes, now) }),
  };
}
