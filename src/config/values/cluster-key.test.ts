import { describe, expect, it } from 'vitest';
import { ClusterKey } from './cluster-key.js';
import { Secret } from './secret.js';

const keyOf = (text: string) => new ClusterKey(new Secret(text));
const key = keyOf('a key of 16 or more');
const now = 1_700_000_000_000;
const pull = { follower: 'one', audience: 'http://10.0.0.7:8080', target: '/v2/a.test/app/blobs/sha256:00?ns=a.test' };

describe('ClusterKey', () => {
  it('verifies what the same secret has signed', () => {
    const signature = key.sign('lease', ['a', 1]);
    expect(signature).toMatch(/^[\w-]{43}$/);
    expect(keyOf('a key of 16 or more').verify('lease', ['a', 1], signature)).toBe(true);
  });

  it.each([
    ['another secret', keyOf('another key of 16'), 'lease', ['a', 1]],
    ['another purpose', key, 'pull', ['a', 1]],
    ['another field', key, 'lease', ['a', 2]],
    ['a field of another type', key, 'lease', ['a', '1']],
    ['fewer fields', key, 'lease', ['a']],
    ['fields divided in another way', key, 'lease', ['a,1']],
  ] as const)('refuses a signature for %s', (_, other, purpose, fields) => {
    expect(other.verify(purpose, fields, key.sign('lease', ['a', 1]))).toBe(false);
  });

  it.each([undefined, null, 0, '', 'x', 'A'.repeat(43), 'A'.repeat(1000), ['A'], { length: 43 }])(
    'refuses as a signature: %j',
    (signature) => expect(key.verify('lease', ['a', 1], signature)).toBe(false),
  );
});

describe('the proof of a pull', () => {
  const proof = key.signPull(pull, now);

  it.each([0, 29_000, -29_000])('holds for half a minute: %i ms', (passed) => {
    expect(key.verifyPull(pull, proof, now + passed)).toBe(true);
  });

  it.each([31_000, -31_000, 1e12])('does not hold for longer: %i ms', (passed) => {
    expect(key.verifyPull(pull, proof, now + passed)).toBe(false);
  });

  it.each([
    ['follower', 'two'],
    ['audience', 'http://10.0.0.8:8080'],
    ['target', '/v2/a.test/other/blobs/sha256:00?ns=a.test'],
  ])('does not hold for another %s', (field, value) => {
    expect(key.verifyPull({ ...pull, [field]: value }, proof, now)).toBe(false);
  });

  it('does not hold with another time, or in another form', () => {
    const [, signature] = proof.split('.');
    for (const other of [
      `${now + 1}.${signature}`,
      `${now}`,
      `${now}.`,
      ` ${proof}`,
      `${proof} `,
      `-1.${signature}`,
      '',
      undefined,
    ])
      expect(key.verifyPull(pull, other, now)).toBe(false);
  });
});
