import { hash as bcrypt } from 'bcryptjs';
import { createHash, createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sizes } from '../../sizes.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';
import { Random } from '../support/random.js';

const issuer = 'https://issuer.example.com';
const audience = 'registry.example.com';
const random = new Random(18);
const own = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const theirs = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ownKeyId = createHash('sha256')
  .update(own.publicKey.export({ type: 'spki', format: 'der' }))
  .digest('base64url')
  .slice(0, 22);
const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();

let folder: Folder;
let mirror: Mirror;
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });

beforeAll(async () => {
  folder = await Folder.make();
  await writeFile(folder.file('htpasswd'), `anna:${await bcrypt('secret', 4)}\n`);
  await writeFile(folder.file('key'), own.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const jwk = { ...theirs.publicKey.export({ format: 'jwk' }), kid: 'theirs', alg: 'RS256', use: 'sig' };
  await writeFile(folder.file('jwks'), JSON.stringify({ keys: [jwk] }));
  mirror = await Mirror.start({
    hosted: [{ namespace: 'local' }],
    access: `
users_file: ${folder.file('htpasswd')}
trusted_proxies: [127.0.0.1]
token_key_file: ${folder.file('key')}
issuers:
  - { issuer: ${issuer}, audience: ${audience}, identity: 'ci:{repository}', claims: { owner: ['7'] }, jwks_file: ${folder.file('jwks')} }
rules:
  - { repositories: ['local/team/**'], who: ['user:anna', 'ci:acme/*'], may: [pull] }
`,
  });
});
afterAll(async () => {
  agent.destroy();
  await mirror[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** 404 is what somebody gets who may pull: nothing is there. */
async function get(path: string, authorization: string): Promise<{ status: number; body: string }> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    // Each from an address of its own: after many failures an address waits.
    const address = `10.${random.below(256)}.${random.below(256)}.${random.below(256)}`;
    const headers = { authorization, 'x-forwarded-for': address };
    const request = http.request(`${mirror.url}${path}`, { agent, headers }, resolve);
    request.on('error', reject).end();
  });
  return { status: response.statusCode ?? 0, body: await text(response) };
}
const pull = (authorization: string) => get('/v2/local/team/app/manifests/v1', authorization);

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** A field of a token with a value that counts (the first, seven times of eight), and others that do not. */
const draw = (right: unknown, ...wrong: readonly unknown[]) =>
  random.below(8) > 0 ? { value: right, isRight: true } : { value: random.pick(wrong), isRight: false };

const signatures: Record<string, (signed: string) => Buffer> = {
  own: (signed) => sign(null, Buffer.from(signed), own.privateKey),
  other: (signed) => sign(null, Buffer.from(signed), other.privateKey),
  theirs: (signed) => sign('sha256', Buffer.from(signed), theirs.privateKey),
  'HMAC with our public key': (signed) => createHmac('sha256', pemOf(own.publicKey)).update(signed).digest(),
  'HMAC with their public key': (signed) => createHmac('sha256', pemOf(theirs.publicKey)).update(signed).digest(),
  none: () => Buffer.alloc(0),
};
const publicJwk: unknown = other.publicKey.export({ format: 'jwk' });
/** Parameters that must not say with what a token is to be verified: they change nothing. */
const keysOfItsOwn = [
  {},
  { jwk: publicJwk },
  { jku: 'http://127.0.0.1:1/jwks' },
  { x5u: 'http://127.0.0.1:1/chain' },
  { x5c: ['AAAA'] },
];

type Forgery = { readonly token: string; readonly isValid: boolean; readonly about: string };

function forge(isOwn: boolean): Forgery {
  const now = Math.floor(Date.now() / 1000);
  const fields = isOwn
    ? {
        signer: draw('own', 'other', 'theirs', 'HMAC with our public key', 'none'),
        alg: draw('EdDSA', 'none', 'None', 'HS256', 'ES256', 'RS256', '', 1, null, ['EdDSA']),
        typ: draw('oci-registry+jwt', 'JWT', 'at+jwt', undefined, 1),
        kid: draw(ownKeyId, undefined, '', '../key', 'theirs', '__proto__', 1),
        iss: draw('oci-registry', issuer, '', undefined, ['oci-registry']),
        aud: draw('oci-registry', audience, '', undefined, 'oci-registry.evil'),
        sub: draw('user:anna', 'user:mallory', 'robot:ci', undefined, '', 1),
      }
    : {
        signer: draw('theirs', 'own', 'other', 'HMAC with their public key', 'none'),
        alg: draw('RS256', 'none', 'HS256', 'PS256', 'RS512', 'EdDSA', '', null),
        kid: draw('theirs', 'another', '../key'),
        iss: draw(issuer, `${issuer}/`, 'https://evil.example.com', 'oci-registry', '', undefined),
        aud: draw(audience, 'another', '', undefined, `${audience}.evil`),
        owner: draw('7', '8', '', undefined, ['8'], '77'),
        repository: draw('acme/app', 'acme/app/more', 'evil/app', '*', '', undefined, 1, 'acme'),
      };
  const times = {
    exp: draw(now + 200, now - 200, undefined, String(now + 200), -1),
    nbf: draw(now - 5, now + 1000, 'now'),
    crit: draw(undefined, ['x']),
  };
  const all: Record<string, ReturnType<typeof draw> | undefined> = { ...fields, ...times };
  const value = (name: string): unknown => all[name]?.value;
  const named = (...names: string[]) =>
    Object.fromEntries<unknown>(names.map((name) => [name, value(name)] as const).filter(([, of]) => of !== undefined));
  const header = {
    ...named('alg', 'typ', 'kid', 'crit'),
    ...random.pick(keysOfItsOwn),
    ...(value('crit') !== undefined && { x: 1 }),
  };
  const access = [{ type: 'repository', name: 'local/team/app', actions: ['pull', 'push', 'delete'] }];
  const claims = isOwn
    ? {
        ...named('iss', 'aud', 'sub', 'exp', 'nbf'),
        jti: 'x',
        from: 'htpasswd',
        access,
        about: { groups: ['admins'], claims: {} },
      }
    : { ...named('iss', 'aud', 'owner', 'repository', 'exp', 'nbf'), sub: 'user:anna', access };
  const signed = `${encode(header)}.${encode(claims)}`;
  const token = `${signed}.${signatures[String(value('signer'))]!(signed).toString('base64url')}`;
  const isValid = Object.values(all).every((field) => field?.isRight);
  return {
    token,
    isValid,
    about: JSON.stringify(Object.fromEntries(Object.keys(all).map((name) => [name, value(name)]))),
  };
}

/** Ways to present a token; with all of them it is the same token. */
const presentations: readonly ((token: string) => string)[] = [
  (token) => `Bearer ${token}`,
  (token) => `bearer ${token}`,
  (token) => basic('anybody', token),
  (token) => basic('anna', token),
];

describe('tokens made at random', () => {
  it.each([true, false])(
    'are accepted only if everything is right (of this server: %s)',
    { timeout: 600_000 },
    async (isOwn) => {
      const wrong: string[] = [];
      const counts = { valid: 0, forged: 0 };
      for (let left = sizes.forgedTokens; left > 0; left -= 1) {
        const { token, isValid, about } = forge(isOwn);
        // A token of this server is no password.
        const present = isOwn ? presentations[random.below(2)]! : random.pick(presentations);
        const { status } = await pull(present(token));
        counts[isValid ? 'valid' : 'forged'] += 1;
        if (status !== (isValid ? 404 : 401) && !(status === 403 && !isValid))
          wrong.push(`${status} ${isValid} ${about}`);
      }
      process.stdout.write(`tokens of ${isOwn ? 'this server' : 'an issuer'}: ${JSON.stringify(counts)}\n`);
      expect(wrong).toEqual([]);
      expect(counts.valid).toBeGreaterThan(sizes.forgedTokens / 20);
    },
  );

  it('give nobody anything when they are cut, changed or mixed', { timeout: 600_000 }, async () => {
    const response = await get('/token?scope=repository:local/team/app:pull', basic('anna', 'secret'));
    const { token } = JSON.parse(response.body) as { token: string };
    expect((await pull(`Bearer ${token}`)).status).toBe(404);
    const parts = token.split('.');
    for (let left = sizes.forgedTokens; left > 0; left -= 1) {
      const changed = [...parts];
      const at = random.below(2);
      const part = changed[at]!;
      const place = random.below(part.length);
      const character = random.pick('ABCabc019-_=.+/~'.replace(part[place]!, '').split(''));
      changed[at] = random.pick([
        part.slice(0, place) + character + part.slice(place + 1),
        part.slice(0, place),
        part + character,
        Buffer.from(
          Buffer.from(part, 'base64url')
            .toString()
            .replace(/pull|anna|300|EdDSA/, 'push'),
        ).toString('base64url') + '_',
        parts[random.below(3)]! + (at === 2 ? '' : 'A'),
      ]);
      const { status } = await pull(`Bearer ${changed.join('.')}`);
      expect([changed.join('.'), status]).toEqual([expect.any(String), 401]);
    }
  });
});

describe('headers and scopes of nonsense', () => {
  it('give nobody anything, and are no error of the server', { timeout: 600_000 }, async () => {
    const schemes = ['Basic', 'Bearer', 'bearer', 'BASIC', 'Digest', 'Negotiate', 'Basic Basic', '', 'Bearer,Basic'];
    const alphabet = 'abcXYZ019:=+/-_., "\\;{}$%\u00e9'.split('');
    const word = (most: number) => Array.from({ length: random.below(most) }, () => random.pick(alphabet)).join('');
    for (let left = sizes.forgedTokens; left > 0; left -= 1) {
      const payload = random.pick([
        word(40),
        Buffer.from(word(30)).toString('base64'),
        Buffer.from(`anna:${word(8)}x`).toString('base64'),
        random.bytes(20).toString('base64'),
        'a.'.repeat(random.below(50)),
        'A'.repeat(random.below(9_000)),
      ]);
      const { status } = await pull(`${random.pick(schemes)} ${payload}`.trim());
      expect([payload, status]).toEqual([payload, expect.toSatisfy((code: number) => [400, 401, 429].includes(code))]);
    }
  });

  it('of a token request get no more than the rules allow', { timeout: 600_000 }, async () => {
    const pieces = [
      'repository',
      'registry',
      'catalog',
      'local',
      'team',
      'app',
      'pull',
      'push',
      'delete',
      'admin',
      '*',
      ':',
      ',',
      '/',
      ' ',
      '%20',
      '(plugin)',
      '..',
      '%2e',
      'LOCAL',
      'docker.io',
      '\u00e9',
      '"',
    ];
    const kept = ['repository:local/team/app:pull', 'repository:local/other:pull,push', 'registry:catalog:*'];
    for (let left = sizes.forgedTokens / 2; left > 0; left -= 1) {
      const scope = [
        Array.from({ length: random.below(12) }, () => random.pick(pieces)).join(''),
        random.pick(kept).replace(random.pick(pieces), random.pick(pieces)),
        ...(random.below(50) === 0 ? ['repository:a:pull '.repeat(500)] : []),
      ];
      const query = scope
        .map((each) => `scope=${encodeURIComponent(each)}`)
        .join(random.pick(['&', '%20', '&account=root&']));
      const { status, body } = await get(`/token?service=x&${query}`, basic('anna', 'secret'));
      expect([query, status]).toEqual([query, 200]);
      const { access } = JSON.parse(
        Buffer.from((JSON.parse(body) as { token: string }).token.split('.')[1]!, 'base64url').toString(),
      ) as {
        access: { type: string; name: string; actions: string[] }[];
      };
      for (const { type, name, actions } of access) {
        const isAllowed = type === 'registry' || (/^local\/team\/[a-z]/.test(name) && actions.join() === 'pull');
        expect([query, type, name, actions, isAllowed]).toEqual([query, type, name, actions, true]);
      }
    }
  });
});
