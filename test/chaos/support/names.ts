import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Resolver } from '../../../src/upstream/transport/resolver.js';

/** A DNS of the test's own. Names that it does not know do not exist. */
export class Names extends Resolver {
  /** Names asked for, in order. */
  readonly asked: string[] = [];

  /** @param find addresses of a name; undefined when there is no such name. */
  constructor(private readonly find: (name: string) => readonly string[] | undefined) {
    super();
  }

  /** Every name leads here. */
  static here(): Names {
    return new Names(() => ['127.0.0.1']);
  }

  override readonly lookup: LookupFunction = (name, options, callback) => {
    this.asked.push(name);
    const found = this.find(name)?.map((address): LookupAddress => ({ address, family: isIP(address) }));
    setImmediate(() => {
      const [first] = found ?? [];
      if (!found || !first) callback(Object.assign(new Error(`no ${name}`), { code: 'ENOTFOUND' }), '');
      else if (options.all === true) callback(null, found);
      else callback(null, first.address, first.family);
    });
  };
}
