import { describe, expect, it } from 'vitest';
import { Budgets } from './budgets.js';
import { networkOf } from './network.of.js';

describe('budgets', () => {
  it('remember a bounded number of clients, and among them whoever is refused again and again', () => {
    const budgets = new Budgets({ most: 1, span: 3_600_000, text: '1/1h' }, () => 0);
    budgets.use('abuser', 1);
    for (let index = 0; index < 50_000; index += 1) {
      budgets.use(`2001:db8:0:${index.toString(16)}::/64`, 1);
      if (index % 10_000 === 0) expect(budgets.remainder('abuser').left).toBe(0);
    }
    expect(budgets.size).toBe(20_000);
    expect(budgets.remainder('abuser').left).toBe(0);
  });
});

describe('the network of an address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:DB8:0:0:8::', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['', ''],
  ])('%s is %s', (address, network) => expect(networkOf(address)).toBe(network));
});
