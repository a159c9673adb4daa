import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Identity } from '../rules/identity.js';
import { makeSigningKey, parseSigningKeys } from './signing.keys.js';
import { TokenService } from './token.service.js';

const identity: Identity = { subject: 'user:anna', groups: ['team'], claims: {} };
const scopes = [{ type: 'repository', name: 'local/team/app', actions: ['pull', 'push'] }];
const audience = 'registry.example.com';

function setUp() {
  let now = Date.parse('2026-11-29T12:00:00Z');
  const pem = makeSigningKey();
  const keys = parseSigningKeys(pem);
  const service = new TokenService(
    () => keys,
    () => now,
  );
  return { service, keys, pem, pass: (seconds: number) => (now += seconds * 1000), now: () => now };
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claimsOf = (now: number) => ({
  iss: 'oci-registry',
  sub: 'user:anna',
  aud: audience,
  exp: Math.floor(now / 1000) + 100,
  jti: 'x',
  from: 'htpasswd',
  access: scopes,
  about: { groups: [], claims: {} },
});

describe('a token', () => {
  it('says who it is for and what it is for', async () => {
    const { service } = setUp();
    const token = await service.issue(identity, 'htpasswd', scopes, audience);
    expect(service.isOwn(token)).toBe(true);
    expect(await service.verify(token, audience)).toMatchObject({ identity, issuer: 'htpasswd', scopes });
    // Remembered.
    expect(await service.verify(token, audience)).toMatchObject({ identity });
  });

  it('expires after 300 seconds, remembered or not', async () => {
    const { service, pass } = setUp();
    const [seen, unseen] = [
      await service.issue(identity, 'htpasswd', scopes, audience),
      await service.issue(identity, 'htpasswd', scopes, audience),
    ];
    pass(299);
    await service.verify(seen, audience);
    pass(1);
    for (const token of [seen, unseen])
      await expect(service.verify(token, audience)).rejects.toMatchObject({ reason: 'expired' });
  });

  it('counts at a replica whose clock is a little behind, and with the key before the newest', async () => {
    const { service, pem, now } = setUp();
    const token = await service.issue(identity, 'htpasswd', scopes, audience);
    const keys = parseSigningKeys(makeSigningKey() + pem);
    const replica = new TokenService(
      () => keys,
      () => now() - 50_000,
    );
    expect(await replica.verify(token, audience)).toMatchObject({ identity });
  });

  it('is not accepted for another service, from another key, or not yet', async () => {
    const { service, now } = setUp();
    const token = await service.issue(identity, 'htpasswd', scopes, audience);
    await expect(service.verify(token, 'other.example.com')).rejects.toMatchObject({ reason: 'credentials' });
    await expect(setUp().service.verify(token, audience)).rejects.toMatchObject({ reason: 'credentials' });
    const early = new TokenService(
      () => parseSigningKeys(makeSigningKey()),
      () => now() - 3_600_000,
    );
    await expect(early.verify(token, audience)).rejects.toMatchObject({ reason: 'credentials' });
  });

  it('does not take an identity that is too large for a header', async () => {
    const groups = Array.from({ length: 500 }, (_, index) => `group-${index}`);
    await expect(setUp().service.issue({ ...identity, groups }, '', scopes, audience)).rejects.toMatchObject({
      reason: 'malformed',
    });
  });
});

/** CVE-2025-24976 and its kind: a token never says with what it is to be verified. */
describe('a forged token is refused', () => {
  const { service, keys, now } = setUp();
  const key = keys[0]!;
  const header = { alg: 'EdDSA', typ: 'oci-registry+jwt', kid: key.id };
  const foreign = generateKeyPairSync('ed25519');
  const sign = (head: object, claims: object = claimsOf(now())) =>
    new SignJWT({ ...claims }).setProtectedHeader({ ...header, ...head }).sign(foreign.privateKey);
  const own = (claims: object, head: object = {}) =>
    new SignJWT({ ...claims }).setProtectedHeader({ ...header, ...head }).sign(key.privateKey);
  const publicPem = key.publicKey.export({ type: 'spki', format: 'pem' });

  const forged: [name: string, make: () => string | Promise<string>][] = [
    ['alg none', () => new UnsecuredJWT(claimsOf(now())).encode()],
    ['alg none with our header', () => `${part({ ...header, alg: 'none' })}.${part(claimsOf(now()))}.`],
    ['alg None', () => `${part({ ...header, alg: 'None' })}.${part(claimsOf(now()))}.`],
    [
      'HS256 with the public key as secret',
      () => {
        const text = `${part({ ...header, alg: 'HS256' })}.${part(claimsOf(now()))}`;
        return `${text}.${createHmac('sha256', publicPem).update(text).digest('base64url')}`;
      },
    ],
    ['jwk of its own', async () => sign({ jwk: await exportJWK(foreign.publicKey) })],
    ['jku of its own', () => sign({ jku: 'https://evil.example.com/jwks' })],
    ['x5u of its own', () => sign({ x5u: 'https://evil.example.com/cert.pem' })],
    ['x5c of its own', () => sign({ x5c: ['AAAA'] })],
    ['our kid', () => sign({})],
    ['no kid', () => sign({ kid: undefined })],
    ['kid as a path', () => sign({ kid: '../../dev/null' })],
    ['kid that is __proto__', () => sign({ kid: '__proto__' })],
    [
      'an unknown critical header',
      () => {
        const text = `${part({ ...header, crit: ['x'], x: 1 })}.${part(claimsOf(now()))}`;
        return `${text}.${signBytes(null, Buffer.from(text), key.privateKey).toString('base64url')}`;
      },
    ],
    ['another typ', () => own(claimsOf(now()), { typ: 'JWT' })],
    ['another issuer', () => own({ ...claimsOf(now()), iss: 'evil' })],
    ['another audience', () => own({ ...claimsOf(now()), aud: 'evil' })],
    ['no audience', () => own({ ...claimsOf(now()), aud: undefined })],
    ['no expiry', () => own({ ...claimsOf(now()), exp: undefined })],
    ['no subject', () => own({ ...claimsOf(now()), sub: undefined })],
    ['not yet valid', () => own({ ...claimsOf(now()), nbf: Math.floor(now() / 1000) + 1000 })],
    ['an expiry that is text', () => own({ ...claimsOf(now()), exp: '9999999999' })],
    ['nothing', () => ''],
    ['dots', () => '..'],
    ['a header of nonsense', () => `${Buffer.from('"oci-registry+jwt"').toString('base64url')}.x.y`],
    ['16 KiB', () => `${part(header)}.${'a'.repeat(16_000)}.a`],
    [
      'RS256',
      async () => {
        const { privateKey } = await generateKeyPair('RS256');
        return new SignJWT(claimsOf(now())).setProtectedHeader({ ...header, alg: 'RS256' }).sign(privateKey);
      },
    ],
  ];

  it.each(forged)('%s', async (_, make) => {
    const token = await make();
    await expect(service.verify(token, audience)).rejects.toMatchObject({ name: 'SignInRefused' });
  });

  it('with any byte changed', async () => {
    const token = await service.issue(identity, 'htpasswd', scopes, audience);
    for (let index = 0; index < token.length; index += 3) {
      const changed = token.slice(0, index) + (token[index] === 'A' ? 'B' : 'A') + token.slice(index + 1);
      // The last character of a base64url text has bits that mean nothing.
      if (index >= token.length - 1) continue;
      await expect(service.verify(changed, audience)).rejects.toMatchObject({ name: 'SignInRefused' });
    }
  });
});

describe('keys of tokens', () => {
  it.each([
    ['', 'has no private key'],
    ['-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----', 'cannot be read'],
    [
      generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      'must have Ed25519 keys',
    ],
  ])('are refused with their reason and without their content', (pem, reason) => {
    expect(() => parseSigningKeys(pem)).toThrow(reason);
    expect(() => parseSigningKeys(pem)).not.toThrow('planted');
  });
});

describe('a token that has been verified', () => {
  it('does not count any more when its key has gone, and counts on beside a new one', async () => {
    const pem = makeSigningKey();
    let keys = parseSigningKeys(pem);
    const service = new TokenService(
      () => keys,
      () => Date.now(),
    );
    const token = await service.issue(identity, 'htpasswd', scopes, audience);
    expect(service.recall(token, audience)).toBeUndefined();
    const verified = await service.verify(token, audience);
    expect(service.recall(token, audience)).toBe(verified);
    keys = parseSigningKeys(makeSigningKey() + pem);
    expect(service.recall(token, audience)).toBeUndefined();
    expect(await service.verify(token, audience)).toMatchObject({ identity });
    keys = parseSigningKeys(makeSigningKey());
    await expect(service.verify(token, audience)).rejects.toMatchObject({ reason: 'credentials' });
    expect(service.recall(token, audience)).toBeUndefined();
  });

  it('is recalled until its end, for its audience only', async () => {
    const { service, pass } = setUp();
    const token = await service.issue(identity, 'htpasswd', scopes, audience);
    await service.verify(token, audience);
    expect(service.recall(token, 'another.example.com')).toBeUndefined();
    pass(299);
    expect(service.recall(token, audience)).toBeDefined();
    pass(1);
    expect(service.recall(token, audience)).toBeUndefined();
  });
});
