import { describe, expect, it } from 'vitest';
import { likelyPeerNetworks } from './peer.networks.js';

const own = ['127.0.0.1', '::1'];

describe('likelyPeerNetworks', () => {
  it.each([
    ['10.244.3.7', ['10.0.0.0/8']],
    ['172.18.0.2', ['172.16.0.0/12']],
    ['172.32.0.2', []],
    ['192.168.1.5', ['192.168.0.0/16']],
    ['100.100.0.1', ['100.64.0.0/10']],
    ['fd12::7', ['fc00::/7']],
    ['fe80::7', []],
    ['169.254.10.1', []],
    ['8.8.8.8', []],
  ])('are, for a host with %s: %j', (address, expected) => {
    expect(likelyPeerNetworks('http://10.9.9.9:8080', [...own, address])).toEqual(expected);
  });

  it.each(['http://127.0.0.1:8080', 'http://[::1]:8080', 'http://localhost:8080'])(
    'have loopback for one that is at %s itself',
    (url) => expect(likelyPeerNetworks(url, own)).toEqual(['127.0.0.0/8', '::1']),
  );

  it('are none without an address of its own', () => {
    expect(likelyPeerNetworks(undefined, own)).toEqual([]);
  });
});
