import dgram from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';

/** Record types. */
const types = { A: 1, AAAA: 28 } as const;

/** A DNS server on a loopback socket. */
export class DnsServer implements AsyncDisposable {
  /** Queries in order, as `A name`. */
  readonly queries: string[] = [];

  private constructor(
    private readonly socket: dgram.Socket,
    private readonly find: (name: string) => readonly string[] | undefined | 'silent',
  ) {
    socket.on('message', (query, { address, port }) => {
      const response = this.respond(query);
      if (response) socket.send(response, port, address);
    });
  }

  /** @param find addresses of a name; undefined when it does not exist, `silent` for no response. */
  static async start(find: (name: string) => readonly string[] | undefined | 'silent'): Promise<DnsServer> {
    const socket = dgram.createSocket('udp4');
    const server = new DnsServer(socket, find);
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return server;
  }

  /** As `Resolver.setServers` takes it. */
  get address(): string {
    const { address, port } = this.socket.address();
    return `${address}:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await once(this.socket, 'close');
  }

  private respond(query: Buffer): Buffer | undefined {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at]!; length > 0; length = query[at]!) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += length + 1;
    }
    const name = labels.join('.').toLowerCase();
    const type = query.readUInt16BE(at + 1);
    this.queries.push(`${type === types.AAAA ? 'AAAA' : 'A'} ${name}`);
    const found = this.find(name);
    if (found === 'silent') return undefined;
    const family = type === types.AAAA ? 6 : 4;
    const records = (found ?? []).filter((address) => isIP(address) === family).map((address) => record(type, address));
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(found ? 0x8180 : 0x8183, 2);
    header.writeUInt16BE(records.length, 6);
    header.fill(0, 8);
    return Buffer.concat([header, query.subarray(12, at + 5), ...records]);
  }
}

/** A resource record for the name in the question. */
function record(type: number, address: string): Buffer {
  const data = bytesOf(address);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function bytesOf(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [front = '', back = ''] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [head, tail] = [groups(front), groups(back)];
  const all = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
