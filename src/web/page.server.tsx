import { Logger, type INestApplicationContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TLSSocket } from 'node:tls';
import { cameToAdminAddress } from '../admin/admin.listener.js';
import { AccessService } from '../access/access.service.js';
import type { ClientOrigin } from '../access/client.origin.js';
import { signedInOf } from '../access/identified.request.js';
import { Clock } from '../config/clock/clock.js';
import { OciError } from '../oci/error.js';
import { Namespace } from '../oci/namespace.js';
import { mirrorAddress } from '../observability/clients/mirror-address.js';
import { pathOf } from '../observability/logging/request.path.js';
import { StatusService } from '../observability/status/status.service.js';
import { ReadinessService } from '../registry/readiness.service.js';
import { findAsset } from './assets/assets.js';
import { Formats } from './format/formats.js';
import { FormToken, readForm } from './forms.js';
import { LiveListeners } from './live.listeners.js';
import type { PageContext } from './page.context.js';
import type { Page, PageResult } from './page.js';
import { overview, pages, type PageEntry } from './page.table.js';
import { signInPath } from './sign-in.path.js';
import { errorView, signInView } from './pages/refusals.js';
import { renderPage, renderTransfers } from './render.js';
import { fileHeaders, liveHeaders, pageHeaders } from './page.headers.js';
import { Visitor } from './visitor.js';

/** Makes the pages. It is loaded with the first request for one. */
export class PageServer {
  private readonly logger = new Logger('Pages');
  private readonly access: AccessService;
  private readonly status: StatusService;
  private readonly clock: Clock;
  private readonly live: LiveListeners;
  private readonly open = new Map<PageEntry, Promise<Page>>();

  constructor(private readonly app: INestApplicationContext) {
    this.access = app.get(AccessService);
    this.status = app.get(StatusService);
    this.clock = app.get(Clock);
    const readiness = app.get(ReadinessService);
    this.live = new LiveListeners(() => readiness.isDraining);
  }

  async sendPage(entry: PageEntry, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const visitor = this.visitorOf(request);
    if (!visitor) {
      this.askToSignIn(request, reply);
      return;
    }
    const token = new FormToken(request.headers.cookie);
    const context = { ...this.contextOf(request, visitor, token), visitor };
    let result: PageResult;
    try {
      result = await this.resultOf(entry, context, request, token);
    } catch (error) {
      result = this.failed(error, request);
    }
    if (token.cookie !== undefined) reply.header('set-cookie', token.cookie);
    this.send(result, context, entry.path, reply);
  }

  /** Has the browser ask for a password, and then sends it back to where its owner came from. */
  signIn(request: FastifyRequest, reply: FastifyReply): void {
    const hasPassword = request.headers.authorization !== undefined;
    if (hasPassword && this.visitorOf(request)) void reply.redirect(placeAfter(request.originalUrl), 303);
    else this.askToSignIn(request, reply);
  }

  sendAsset(request: FastifyRequest, reply: FastifyReply): void {
    const asset = findAsset((request.params as { file: string }).file, request.headers['accept-encoding']);
    if (!asset) throw new OciError('NOT_FOUND');
    void reply.headers(asset.headers).send(asset.body);
  }

  /** What runs at the moment, again and again. Whether its visitor may still sign in, and his rights, are looked up each time. */
  sendLive(request: FastifyRequest, reply: FastifyReply): void {
    if (!this.visitorOf(request)) throw new OciError('UNAUTHORIZED');
    const { address, tls } = this.clientOf(request);
    const refusal = this.live.refusalFor(address);
    if (refusal) {
      void reply.header('retry-after', refusal.retryAfter);
      throw refusal;
    }
    if (request.method === 'HEAD') {
      void reply.headers(liveHeaders).send();
      return;
    }
    const formats = Formats.for(request.headers['accept-language']);
    reply.hijack();
    reply.raw.writeHead(200, liveHeaders);
    this.live.add(reply.raw, address, () => {
      const visitor = this.visitorNow(request, tls);
      return visitor && renderTransfers(this.status.transfers(visitor.reader), formats);
    });
  }

  /** Ends what would keep the server from closing. */
  close(): void {
    this.live.close();
  }

  private askToSignIn(request: FastifyRequest, reply: FastifyReply): void {
    const context = { ...this.contextOf(request, undefined, new FormToken(undefined)), visitor: undefined };
    // Browsers ask for a password by Basic only.
    void reply.header('www-authenticate', 'Basic realm="oci-registry"');
    this.send(signInView, context, undefined, reply);
  }

  private visitorOf(request: FastifyRequest): Visitor | undefined {
    if (cameToAdminAddress(request.raw)) return Visitor.atAdminAddress(this.access, signedInOf(request));
    return Visitor.of(this.access, signedInOf(request), request.headers.authorization !== undefined);
  }

  /** As `visitorOf` for an earlier request, by what counts now. @param tls of the client */
  private visitorNow(request: FastifyRequest, tls: TLSSocket | undefined): Visitor | undefined {
    const signedIn = signedInOf(request);
    if (!signedIn || cameToAdminAddress(request.raw)) return this.visitorOf(request);
    const { authorization } = request.headers;
    const renewed = this.access.renew(signedIn, authorization, { tls });
    return renewed && Visitor.of(this.access, renewed, authorization !== undefined);
  }

  private clientOf({ raw: { socket, headers } }: FastifyRequest): ClientOrigin {
    const { remoteAddress } = socket;
    return this.access.clientOf({ remoteAddress, tls: socket instanceof TLSSocket ? socket : undefined, headers });
  }

  private contextOf(
    request: FastifyRequest,
    visitor: Visitor | undefined,
    token: FormToken,
  ): Omit<PageContext, 'visitor'> {
    const { headers, originalUrl, params, protocol } = request;
    const { defaultNamespace, namespaces } = this.status;
    const known = namespaces.filter((name) => visitor?.mayKnow(Namespace.parse(name)) === true);
    // Trusts X-Forwarded-Proto of a TLS-terminating proxy: only the reader who sent it sees the result.
    const isTls = protocol === 'https' || headers['x-forwarded-proto'] === 'https';
    // Nothing is pulled from the admin address.
    const server = cameToAdminAddress(request.raw)
      ? undefined
      : mirrorAddress(headers.host, isTls, known, defaultNamespace);
    return {
      params: (params ?? {}) as Record<string, string>,
      query: new URLSearchParams(originalUrl.split('?').slice(1).join('?')),
      target: originalUrl,
      host: headers.host,
      mirror: known.length === 0 ? undefined : server,
      server,
      formats: Formats.for(headers['accept-language']),
      now: this.clock.now(),
      csrf: () => token.value(isTls),
      requestId: request.id,
      address: this.clientOf(request).address,
    };
  }

  private async resultOf(entry: PageEntry, context: PageContext, request: FastifyRequest, token: FormToken) {
    // One spelling only: a proxy that denies a path must not be bypassed with an encoded one.
    const isExact = entry.path === '/' || /^\/_ui\/[^%]+$/.test(pathOf(request.originalUrl));
    const isHidden = entry.isForAdministrators === true && !context.visitor.isAdministrator;
    if (!isExact || isHidden) throw new OciError('NOT_FOUND');
    const page = await this.pageOf(entry);
    if (request.method !== 'POST') return page.show(context);
    if (!page.submit) throw new OciError('UNSUPPORTED');
    const form = await readForm(request.raw);
    if (!token.isIn(form))
      throw new OciError('DENIED', 'this form is too old, or came from another page: open it again');
    return page.submit(context, form);
  }

  private pageOf(entry: PageEntry): Promise<Page> {
    let page = this.open.get(entry);
    if (!page) {
      page = entry.load().then((make) => make(this.app));
      page.catch(() => this.open.delete(entry));
      this.open.set(entry, page);
    }
    return page;
  }

  private failed(error: unknown, request: FastifyRequest): PageResult {
    const known = error instanceof OciError ? error : new OciError('UNKNOWN');
    if (known !== error) this.logger.error(String(error), error instanceof Error ? error.stack : undefined);
    // For the request's log line.
    Object.assign(request, { refusal: `${known.code}: ${known.message}` });
    return errorView(known, request.id);
  }

  private send(result: PageResult, context: Surroundings, current: string | undefined, reply: FastifyReply): void {
    if ('location' in result) {
      void reply.redirect(result.location, 303);
      return;
    }
    if ('body' in result) {
      void reply.headers(fileHeaders(result)).send(result.body);
      return;
    }
    const text = renderPage(result, { ...context, navigation: navigationOf(context.visitor), current });
    // Works without JavaScript, and in every browser.
    if (result.refresh !== undefined) void reply.header('refresh', result.refresh);
    void reply
      .status(result.status ?? 200)
      .headers(pageHeaders)
      .send(text);
  }
}

type Surroundings = Omit<PageContext, 'visitor'> & { readonly visitor: Visitor | undefined };

function navigationOf(visitor: Visitor | undefined): readonly PageEntry[] {
  const mayGoTo = ({ isForAdministrators = false }: PageEntry) =>
    !isForAdministrators || visitor?.isAdministrator === true;
  return visitor ? [overview, ...pages].filter((page) => page.name !== undefined && mayGoTo(page)) : [];
}

/** Only a page of this server. @param url of a sign-in */
function placeAfter(url: string): string {
  const text = url.slice(`${signInPath}=`.length);
  const isPage = /^%2F_ui%2F[\w%.~-]{1,2000}$/i.test(text) && !/%(?![0-9a-f]{2})|%[01][0-9a-f]|%7f/i.test(text);
  try {
    return isPage ? decodeURIComponent(text) : '/';
  } catch {
    // A link that no page of this server has.
    return '/';
  }
}
