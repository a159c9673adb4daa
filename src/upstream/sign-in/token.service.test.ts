import { Readable } from 'node:stream';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { HandClock } from '../../../test/fakes/hand-clock.js';
import { Secret } from '../../config/values/secret.js';
import { BodyMemory } from '../../config/memory/body.memory.js';
import { UpstreamSettings } from '../../config/upstream.settings.js';
import { parseChallenges } from '../../oci/challenge.js';
import { SignIn } from './sign-in.js';
import { TokenService, type TokenRequest } from './token.service.js';
import { Upstream } from '../upstream.js';

const challengeOf = (parameters: string) => parseChallenges([`Bearer ${parameters}`])[0]!;
const upstreamOf = (settings: Partial<UpstreamSettings> = {}) =>
  new Upstream(
    Object.assign(new UpstreamSettings(), { namespace: 'registry.example', host: 'registry.example' }, settings),
    true,
  );
const signedIn = { username: 'user', password: new Secret('planted-password') };

/** A token service whose realm answers what a test says, and what it was asked. */
function make(
  respond: (count: number) => { status?: number; body?: unknown; headers?: IncomingHttpHeaders } = () => ({}),
) {
  const clock = new HandClock();
  const asked: { url: URL; headers: Record<string, string> }[] = [];
  const tokens = new TokenService(
    (_upstream, url, headers) => {
      asked.push({ url, headers });
      const {
        status = 200,
        body = { token: `token-${asked.length}`, expires_in: 300 },
        headers: sent = {},
      } = respond(asked.length);
      const stream = Readable.from([Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))], {
        objectMode: false,
      });
      return Promise.resolve({ status, headers: sent, body: stream as unknown as IncomingMessage, host: url.host });
    },
    clock,
    new BodyMemory(2 ** 24),
  );
  const get = ({ upstream = anonymous, ...request }: Partial<TokenRequest> = {}) =>
    tokens.get({
      upstream,
      signIn: new SignIn(upstream.credentials.of('team/app'), 'team/app'),
      origin: 'https://registry.example',
      challenge: challengeOf('realm="https://auth.registry.example/token",service="s"'),
      repository: 'team/app',
      isRegistry: true,
      ...request,
    });
  const anonymous = upstreamOf();
  return { clock, asked, tokens, get };
}

describe('TokenService', () => {
  it('requests pull access to one repository, with the given service', async () => {
    const { get, asked } = make();
    expect(await get()).toBe('token-1');
    expect(asked[0]?.url.href).toBe(
      'https://auth.registry.example/token?service=s&scope=repository%3Ateam%2Fapp%3Apull',
    );
    expect(asked[0]?.headers).toEqual({ accept: 'application/json' });
  });

  it.each([
    ['repository:user/image:pull', true, 'repository:team/app:pull'],
    ['repository:team/app:pull,push', true, 'repository:team/app:pull'],
    ['', true, 'repository:team/app:pull'],
    ['aws', true, 'aws'],
    ['registry:catalog:*', true, 'registry:catalog:*'],
    ['repository:elsewhere/x:pull', false, 'repository:elsewhere/x:pull'],
  ])('makes of the scope %s, at the registry itself: %s, the scope %s', async (scope, isRegistry, expected) => {
    const { get, asked } = make();
    await get({ challenge: challengeOf(`realm="https://registry.example/token",scope="${scope}"`), isRegistry });
    expect(asked[0]?.url.searchParams.getAll('scope')).toEqual([expected]);
    expect(asked[0]?.url.searchParams.has('service')).toBe(false);
  });

  it('keeps the query of the realm', async () => {
    const { get, asked } = make();
    await get({ challenge: challengeOf('realm="https://registry.example/token?account=a&scope=old"') });
    expect(asked[0]?.url.search).toBe('?account=a&scope=repository%3Ateam%2Fapp%3Apull');
  });

  it('sends credentials to the realm of the registry, and to no other server', async () => {
    const { get, asked } = make();
    const upstream = upstreamOf(signedIn);
    await get({ upstream });
    await get({ upstream, isRegistry: false, origin: 'https://auth.registry.example' });
    const basic = `Basic ${Buffer.from('user:planted-password').toString('base64')}`;
    expect(asked.map(({ headers }) => headers.authorization)).toEqual([basic, undefined]);
  });

  it('refuses a foreign realm before anything is sent', async () => {
    const { get, asked } = make();
    const challenge = challengeOf('realm="https://auth.evil.example/token"');
    await expect(get({ upstream: upstreamOf(signedIn), challenge })).rejects.toMatchObject({ kind: 'wrong' });
    expect(asked).toEqual([]);
    // Without credentials there is nothing to steal.
    expect(await get({ challenge })).toBe('token-1');
  });

  it('refuses the realm of a redirect target that is neither on its own origin nor listed', async () => {
    const { get, asked } = make();
    const cdn = { isRegistry: false, origin: 'https://cdn.example' };
    await expect(get(cdn)).rejects.toMatchObject({ kind: 'wrong' });
    await expect(get({ ...cdn, origin: 'https://auth.registry.example:8443' })).rejects.toMatchObject({
      kind: 'wrong',
    });
    expect(asked).toEqual([]);
    const tokenRealms = ['auth.registry.example'];
    expect(await get({ ...cdn, upstream: upstreamOf({ tokenRealms }) })).toBe('token-1');
  });

  it.each([
    '',
    'token',
    '/token',
    'http://registry.example/token',
    'https://u:p@registry.example/token',
    'ftp://registry.example/',
  ])('refuses the realm %s', async (realm) => {
    const { get, asked } = make();
    await expect(get({ challenge: challengeOf(`realm="${realm}"`) })).rejects.toMatchObject({ kind: 'wrong' });
    expect(asked).toEqual([]);
  });

  it('shares a request and its failure among concurrent callers', async () => {
    const { get, asked } = make((count) => (count === 1 ? {} : { status: 503 }));
    expect(await Promise.all([get(), get(), get()])).toEqual(['token-1', 'token-1', 'token-1']);
    expect(asked).toHaveLength(1);
    const failures = await Promise.allSettled([get({ repository: 'b/c' }), get({ repository: 'b/c' })]);
    expect(failures.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(asked).toHaveLength(2);
  });

  it('keeps tokens of repositories, origins, upstreams and realms apart', async () => {
    const { get, asked } = make();
    await get();
    await get({ repository: 'team/other' });
    await get({ origin: 'https://cdn.example' });
    await get({ upstream: upstreamOf({ namespace: 'other.example' }) });
    await get({ isRegistry: false, origin: 'https://auth.registry.example' });
    await get({ challenge: challengeOf('realm="https://registry.example/other"') });
    expect(asked).toHaveLength(6);
    await get();
    expect(asked).toHaveLength(6);
  });

  it.each([
    [{ token: 't', expires_in: 300 }, 240],
    [{ token: 't', expires_in: 3600 }, 2880],
    [{ token: 't', expires_in: 1 }, 48],
    [{ token: 't', expires_in: -5 }, 48],
    [{ token: 't' }, 48],
    [{ token: 't', expires_in: '300' }, 48],
    [{ token: 't', expires_in: 1e12 }, 69_120],
  ])('uses the token of %j for %i seconds', async (body, seconds) => {
    const { get, asked, clock } = make(() => ({ body }));
    await get();
    clock.pass(seconds - 1);
    await get();
    expect(asked).toHaveLength(1);
    clock.pass(1);
    await get();
    expect(asked).toHaveLength(2);
  });

  it('forgets a token that was refused', async () => {
    const { get, tokens, asked } = make();
    const token = await get();
    const other = await get({ repository: 'team/other' });
    tokens.forget(token);
    expect(await get()).not.toBe(token);
    expect(await get({ repository: 'team/other' })).toBe(other);
    expect(asked).toHaveLength(3);
  });

  it.each([
    [{ token: 'a', access_token: 'b' }, 'a'],
    [{ access_token: 'b' }, 'b'],
    [{ token: '', access_token: 'b' }, 'b'],
    [{ token: null, access_token: 'b' }, 'b'],
  ])('takes from %j the token %s', async (body, expected) => {
    expect(await make(() => ({ body })).get()).toBe(expected);
  });

  it.each([
    {},
    [],
    'null',
    '"text"',
    'no JSON',
    { token: 5 },
    { token: 'two words' },
    { token: 'a\r\nb: c' },
    { token: 'ü' },
  ])('rejects the token response %j', async (body) => {
    await expect(make(() => ({ body })).get()).rejects.toMatchObject({ kind: 'wrong' });
  });

  it.each([
    [401, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'wrong'],
    [410, 'wrong'],
    [302, 'wrong'],
    [400, 'wrong'],
    [429, 'rate-limited'],
    [500, 'unavailable'],
    [503, 'unavailable'],
    [408, 'timeout'],
  ])('says of the status %i that it is %s, and asks again the next time', async (status, kind) => {
    const { get, asked } = make(() => ({ status, headers: { 'retry-after': '9' } }));
    await expect(get()).rejects.toMatchObject({ kind });
    await expect(get()).rejects.toMatchObject({ kind });
    expect(asked).toHaveLength(2);
  });

  it('never puts a secret in a message', async () => {
    const { get } = make(() => ({ status: 401, body: 'planted-body' }));
    const failure = await get({ upstream: upstreamOf(signedIn) }).catch((error: unknown) => error);
    expect(JSON.stringify([String(failure), failure])).not.toContain('planted-');
  });
});
