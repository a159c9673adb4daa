import { once } from 'node:events';
import { connect, isIP, type Socket } from 'node:net';
import tls, { type ConnectionOptions } from 'node:tls';
import { MalformedMessage, type Element } from './ber.js';
import { Inbox } from './inbox.js';
import {
  bindRequest,
  encodeMessage,
  operations,
  parseEntry,
  parseMessage,
  resultCodes,
  resultOf,
  searchRequest,
  startTlsRequest,
  unbindRequest,
  type Entry,
  type Search,
} from './messages.js';

/** Where a directory is and how it is spoken to. */
export interface DirectoryAddress {
  readonly host: string;
  readonly port: number;
  /** `none` only for loopback addresses. */
  readonly security: 'tls' | 'start-tls' | 'none';
  /** Trusted CAs in PEM; those of Node unless set. */
  readonly authorities: string | undefined;
}

/** Results that are about the directory or this server's configuration, and say nothing of a password. */
const failures: ReadonlySet<number> = new Set([1, 2, 3, 7, 8, 11, 12, 13, 14, 17, 18, 51, 52, 80]);
/** Results that are about the form of a DN: of `user_dn`, or of a name that its attribute cannot have. */
const malformedDn: ReadonlySet<number> = new Set([21, 34]);
/** A name that every attribute for names can have. */
const plainName = /^[a-z0-9.-]+$/;

export interface SearchResult {
  readonly entries: readonly Entry[];
  /** What the search ended with: with another one than success, entries may be missing. */
  readonly code: number;
}

/** A connection to a directory (LDAP version 3) for one request at a time. Its deadline ends all that waits for it. */
export class LdapConnection {
  private lastId = 0;
  private chunks: AsyncIterator<Buffer, undefined>;
  private readonly inbox = new Inbox();

  private constructor(private socket: Socket) {
    this.chunks = chunksOf(socket);
  }

  /** @param deadline ends the connection. @throws Error when it cannot be made, or is not trusted */
  static async open(address: DirectoryAddress, deadline: AbortSignal): Promise<LdapConnection> {
    const { host, port, security, authorities } = address;
    deadline.throwIfAborted();
    const secure: ConnectionOptions = {
      host,
      ...(isIP(host) === 0 && { servername: host }),
      ...(authorities !== undefined && { ca: authorities }),
    };
    const socket = security === 'tls' ? tls.connect({ ...secure, port }) : connect({ host, port });
    const connection = new LdapConnection(socket);
    deadline.addEventListener('abort', () => connection.end(new Error('the deadline has passed')), { once: true });
    try {
      await once(socket, security === 'tls' ? 'secureConnect' : 'connect', { signal: deadline });
      if (security === 'start-tls') await connection.startTls(secure, deadline);
      return connection;
    } catch (error) {
      connection.end();
      throw error;
    }
  }

  /**
   * Whether the directory accepts a password.
   * @throws Error for an empty DN or password: that would be an unauthenticated bind, which succeeds (RFC 4513 §5.1.2);
   * also when the directory cannot tell
   * @param name what has been put into the DN
   */
  async bind(dn: string, password: string, name = ''): Promise<boolean> {
    if (dn === '' || password === '') throw new Error('a bind without a name or a password proves nothing');
    const code = resultOf(await this.request(bindRequest(dn, password)), operations.bindResponse);
    if (failures.has(code) || (malformedDn.has(code) && plainName.test(name)))
      throw new Error(`a bind ended with the result ${code}`);
    return code === resultCodes.success;
  }

  /** The entries that were found, at most as many as wanted, and the result. @throws Error */
  async search(search: Search): Promise<SearchResult> {
    const entries: Entry[] = [];
    let operation = await this.request(searchRequest(search));
    while (operation.tag === operations.searchEntry || operation.tag === operations.searchReference) {
      if (operation.tag === operations.searchEntry) entries.push(parseEntry(operation, search.attributes));
      if (entries.length > search.maxEntries) throw new MalformedMessage('more entries than wanted');
      operation = await this.receive();
    }
    return { entries, code: resultOf(operation, operations.searchDone) };
  }

  /** Says goodbye, and waits for nothing. */
  close(): void {
    if (this.socket.writable) this.socket.write(encodeMessage((this.lastId += 1), unbindRequest()));
    this.socket.destroySoon();
  }

  private end(reason?: Error): void {
    this.socket.destroy(reason);
  }

  private async startTls(options: ConnectionOptions, signal: AbortSignal): Promise<void> {
    const code = resultOf(await this.request(startTlsRequest()), operations.extendedResponse);
    if (code !== resultCodes.success) throw new Error(`StartTLS ended with the result ${code}`);
    // What came before the handshake anybody on the way could have sent: it must not count as a response after it.
    if (!this.inbox.isEmpty) throw new MalformedMessage('bytes between StartTLS and TLS');
    await this.chunks.return?.();
    const secure = tls.connect({ ...options, socket: this.socket });
    this.socket = secure;
    this.chunks = chunksOf(secure);
    await once(secure, 'secureConnect', { signal });
  }

  private async request(operation: Buffer): Promise<Element> {
    this.lastId += 1;
    this.socket.write(encodeMessage(this.lastId, operation));
    return this.receive();
  }

  /** The next response to the latest request. @throws Error when the connection ends, or something else is sent */
  private async receive(): Promise<Element> {
    for (let bytes = this.inbox.take(); ; bytes = this.inbox.take()) {
      if (bytes) {
        const { id, operation } = parseMessage(bytes);
        // 0 is a notice that the connection ends (RFC 4511 §4.4.1).
        if (id !== this.lastId) throw new MalformedMessage(`a message with the id ${id} for ${this.lastId}`);
        return operation;
      }
      const { value, done } = await this.chunks.next();
      if (done === true) throw new Error('the directory closed the connection');
      this.inbox.add(value);
    }
  }
}

/** Errors reach whoever reads; without a listener, one that comes between two reads would end the process. */
function chunksOf(socket: Socket): AsyncIterator<Buffer, undefined> {
  socket.on('error', () => undefined);
  return socket.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined>;
}
