import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { elementsOf, encode, encodeEnumerated, integerOf, textOf, type Element } from '../../src/access/ldap/ber.js';
import { parseDn } from '../../src/access/ldap/dn.js';
import { Inbox } from '../../src/access/ldap/inbox.js';
import { encodeMessage, parseMessage } from '../../src/access/ldap/messages.js';
import type { FixtureCertificate } from '../fixtures/certificate.js';
import { Listener } from './listener.js';

export interface DirectoryEntry {
  readonly dn: string;
  readonly password?: string;
  readonly attributes?: Readonly<Record<string, readonly string[]>>;
}

export interface DirectoryRequest {
  readonly kind: 'bind' | 'search' | 'start-tls';
  readonly id: number;
  readonly dn: string;
  /** Of a bind. */
  readonly password: string;
  /** Of a search: all values that its filter compares with. */
  readonly values: readonly string[];
  readonly isEncrypted: boolean;
}

/** What is sent in place of the usual response: bytes, nothing at all, or the end of the connection. */
export type DirectoryResponse = Buffer | 'nothing' | 'end';
type Script = (request: DirectoryRequest, usual: Buffer) => DirectoryResponse;

const tags = { bind: 0x60, unbind: 0x42, search: 0x63, extended: 0x77 };
const codes = { success: 0, noSuchObject: 32, invalidCredentials: 49 };

/** A response with a result. @param more elements after it, such as referrals */
export function result(id: number, tag: number, code: number, ...more: Buffer[]): Buffer {
  return encodeMessage(id, encode(tag, encodeEnumerated(code), encode(0x04), encode(0x04), ...more));
}

export function searchEntry(id: number, { dn, attributes = {} }: DirectoryEntry, wanted?: readonly string[]): Buffer {
  const list = Object.entries(attributes)
    .filter(([name]) => wanted === undefined || wanted.includes(name.toLowerCase()))
    .map(([name, values]) =>
      encode(0x30, encode(0x04, name), encode(0x31, ...values.map((value) => encode(0x04, value)))),
    );
  return encodeMessage(id, encode(0x64, encode(0x04, dn), encode(0x30, ...list)));
}

/** A directory that knows simple binds, searches by equality, and StartTLS; a script can send anything else. */
export class FakeDirectory implements AsyncDisposable {
  readonly requests: DirectoryRequest[] = [];
  entries: readonly DirectoryEntry[] = [];
  script: Script = (_, usual) => usual;
  /** Milliseconds before each response. */
  delay = 0;
  /** Bytes that are written at once. */
  slices = Infinity;
  private readonly listener: Listener;

  private constructor(
    private readonly certificate: FixtureCertificate | undefined,
    isTls: boolean,
  ) {
    this.listener = new Listener(() => {
      const accept = (socket: Socket) => this.serve(socket, isTls);
      return isTls ? createTlsServer({ ...certificate }, accept) : createServer(accept);
    });
  }

  /** @param certificate for StartTLS, and with `tls` from the start */
  static async start(
    entries: readonly DirectoryEntry[],
    certificate?: FixtureCertificate,
    { tls = false } = {},
  ): Promise<FakeDirectory> {
    const directory = new FakeDirectory(certificate, tls);
    directory.entries = entries;
    await directory.listener.start();
    return directory;
  }

  get host(): string {
    return this.listener.host;
  }

  /** Accepted since the start. */
  get connections(): number {
    return this.listener.connections;
  }

  goDown(): Promise<void> {
    return this.listener.stop();
  }

  comeBack(): Promise<void> {
    return this.listener.start();
  }

  /** As kinds, such as `search bind`. */
  take(): string {
    return this.requests
      .splice(0)
      .map(({ kind }) => kind)
      .join(' ');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.stop();
  }

  private serve(socket: Socket, isEncrypted: boolean): void {
    const inbox = new Inbox();
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      inbox.add(data);
      for (let bytes = inbox.take(); bytes; bytes = inbox.take()) {
        const { id, operation } = parseMessage(bytes);
        if (operation.tag === tags.unbind) socket.end();
        else this.respond(socket, id, operation, isEncrypted);
      }
    });
  }

  private respond(socket: Socket, id: number, { tag, contents }: Element, isEncrypted: boolean): void {
    const kind = tag === tags.bind ? 'bind' : tag === tags.search ? 'search' : 'start-tls';
    const parts = elementsOf(contents);
    const filter = kind === 'search' ? parts[6] : undefined;
    const request: DirectoryRequest = {
      kind,
      id,
      dn: kind === 'bind' ? textOf(parts[1]) : kind === 'search' ? textOf(parts[0]) : '',
      password: kind === 'bind' ? parts[2]!.contents.toString() : '',
      values: filter ? valuesIn(filter) : [],
      isEncrypted,
    };
    this.requests.push(request);
    const usual =
      kind === 'bind'
        ? this.bind(request)
        : kind === 'search'
          ? this.search(id, parts)
          : result(id, 0x78, codes.success);
    const response = this.script(request, usual);
    const send = () => this.send(socket, kind, response);
    if (this.delay === 0) send();
    else setTimeout(send, this.delay);
  }

  private send(socket: Socket, kind: DirectoryRequest['kind'], response: DirectoryResponse): void {
    if (response === 'end') socket.end();
    else if (response !== 'nothing') this.write(socket, response);
    if (kind === 'start-tls' && response !== 'end') this.secure(socket);
  }

  private write(socket: Socket, response: Buffer): void {
    const size = Math.min(this.slices, response.length);
    socket.setNoDelay(size < response.length);
    for (let at = 0; at < response.length; at += size) socket.write(response.subarray(at, at + size));
  }

  private secure(socket: Socket): void {
    socket.removeAllListeners('data');
    this.serve(new TLSSocket(socket, { isServer: true, ...this.certificate }), true);
  }

  private bind({ id, dn, password }: DirectoryRequest): Buffer {
    const entry = this.entries.find((each) => isSame(each.dn, dn));
    // A bind without a password is none, and succeeds (RFC 4513 §5.1.2).
    const isAccepted = password === '' || (entry?.password !== undefined && entry.password === password);
    return result(id, 0x61, isAccepted ? codes.success : codes.invalidCredentials);
  }

  private search(id: number, parts: readonly Element[]): Buffer {
    const [base, scope, , sizeLimit, , , filter, attributes] = parts;
    const from = textOf(base);
    if (!this.entries.some(({ dn }) => isSame(dn, from) || dn.endsWith(`,${from}`)))
      return result(id, 0x65, codes.noSuchObject);
    const isBase = integerOf(scope, 'enumerated') === 0;
    const found = this.entries
      .filter(({ dn }) => isSame(dn, from) || (!isBase && dn.endsWith(`,${from}`)))
      .filter((entry) => matches(filter!, entry))
      .slice(0, integerOf(sizeLimit));
    const wanted = elementsOf(attributes!.contents).map((name) => textOf(name).toLowerCase());
    return Buffer.concat([...found.map((entry) => searchEntry(id, entry, wanted)), result(id, 0x65, codes.success)]);
  }
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [parseDn(one.toLowerCase()), parseDn(other.toLowerCase())];
  return left !== undefined && JSON.stringify(left) === JSON.stringify(right);
}

function matches({ tag, contents }: Element, entry: DirectoryEntry): boolean {
  if (tag === 0x87) return contents.toString() === 'objectClass' || valuesOf(entry, contents.toString()).length > 0;
  const parts = elementsOf(contents);
  if (tag === 0xa0) return parts.every((part) => matches(part, entry));
  if (tag === 0xa1) return parts.some((part) => matches(part, entry));
  if (tag === 0xa2) return !matches(parts[0]!, entry);
  if (tag !== 0xa3) throw new Error(`the fake directory has no filter 0x${tag.toString(16)}`);
  const value = textOf(parts[1]).toLowerCase();
  return valuesOf(entry, textOf(parts[0])).some((own) => own.toLowerCase() === value);
}

function valuesOf({ attributes = {} }: DirectoryEntry, wanted: string): readonly string[] {
  return Object.entries(attributes).flatMap(([name, values]) =>
    name.toLowerCase() === wanted.toLowerCase() ? values : [],
  );
}

function valuesIn({ tag, contents }: Element): string[] {
  if (tag === 0xa3) return [textOf(elementsOf(contents)[1])];
  return [0xa0, 0xa1, 0xa2].includes(tag) ? elementsOf(contents).flatMap(valuesIn) : [];
}
