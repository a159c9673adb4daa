import { createPrivateKey, type KeyObject, randomUUID, sign, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type http from 'node:http';
import { run } from './process.js';
import type { Scratch } from './scratch.js';
import { SwitchableServer } from './switchable-server.js';
import type { Traffic } from './traffic.js';

/** Who may do what in every repository. */
export interface Account {
  readonly username: string;
  readonly password: string;
  readonly actions: readonly string[];
}

const LIFETIME_SECONDS = 300;

/** The token half of the registry's Bearer authentication: it knows the accounts and signs what they may do. */
export class TokenServer {
  static readonly ISSUER = 'token-server.test';
  static readonly SERVICE = 'registry.test';

  /** Every token handed out, to look for where none may appear. */
  readonly issued: string[] = [];

  private constructor(
    readonly certificateFile: string,
    private readonly key: KeyObject,
    private readonly certificate: X509Certificate,
    private readonly accounts: readonly Account[],
  ) {}

  static async start(scratch: Scratch, accounts: readonly Account[], traffic: Traffic): Promise<TokenServer> {
    const keyFile = scratch.file('token-server.key');
    const certificateFile = scratch.file('token-server.pem');
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', '/CN=token-server.test', '-keyout', keyFile, '-out', certificateFile],
    ]);
    const key = createPrivateKey(await readFile(keyFile));
    const certificate = new X509Certificate(await readFile(certificateFile));
    const tokens = new TokenServer(certificateFile, key, certificate, accounts);
    tokens.listener = await SwitchableServer.start((request, response) => {
      const record = traffic.record(request.method ?? '', request.url ?? '');
      const { status, body } = tokens.respond(request);
      record.status = status;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    scratch.onClose(() => tokens.listener.close());
    return tokens;
  }

  listener!: SwitchableServer;

  get realm(): string {
    return `http://127.0.0.1:${this.listener.port}/token`;
  }

  private respond({ method, url, headers }: http.IncomingMessage): { status: number; body: object } {
    const { pathname, searchParams } = new URL(url ?? '', 'http://token-server.test');
    if (method !== 'GET' || pathname !== '/token') return { status: 404, body: {} };
    const account = this.accounts.find((candidate) => basic(candidate) === headers.authorization);
    if (account === undefined) return { status: 401, body: { details: 'incorrect username or password' } };
    const access = searchParams.getAll('scope').map((scope) => permission(scope, account));
    return { status: 200, body: { token: this.token(account, access), expires_in: LIFETIME_SECONDS } };
  }

  private token(account: Account, access: object[]): string {
    const header = { typ: 'JWT', alg: 'ES256', x5c: [this.certificate.raw.toString('base64')] };
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      ...{ iss: TokenServer.ISSUER, sub: account.username, aud: TokenServer.SERVICE, jti: randomUUID() },
      ...{ iat: now, nbf: now - 10, exp: now + LIFETIME_SECONDS, access },
    };
    const payload = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const signature = sign('sha256', Buffer.from(payload), { key: this.key, dsaEncoding: 'ieee-p1363' });
    const token = `${payload}.${signature.toString('base64url')}`;
    this.issued.push(token);
    return token;
  }
}

/** The Authorization header of an account. */
export function basic({ username, password }: Account): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function permission(scope: string, account: Account): object {
  const [, type, name, wanted] = /^([^:]+):(.+):([^:]+)$/.exec(scope) ?? [];
  const actions = (wanted ?? '').split(',').filter((action) => account.actions.includes(action));
  return { type: type ?? '', name: name ?? '', actions };
}
