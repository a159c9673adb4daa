import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { connectionKey, parseSocketTable, readSocketTable } from './socket.table.js';

describe('socket table', () => {
  it.skipIf(process.platform !== 'linux')(
    'tells what the kernel has of each connection, over IPv4, IPv6 and both at one socket',
    async () => {
      for (const [listen, client] of [
        ['127.0.0.1', '127.0.0.1'],
        ['::1', '::1'],
        ['::', '127.0.0.1'],
      ] as const) {
        const server = createServer().listen(0, listen);
        await once(server, 'listening');
        const accepted = once(server, 'connection') as Promise<[Socket]>;
        const reader = connect((server.address() as AddressInfo).port, client);
        const [socket] = await accepted;
        const key = connectionKey(socket)!;
        expect((await readSocketTable())?.get(key)).toBe(0);
        reader.pause();
        socket.write(Buffer.alloc(32 * 1024 * 1024));
        await expect.poll(async () => (await readSocketTable())?.get(key)).toBeGreaterThan(0);
        for (const each of [reader, socket]) each.destroy();
        server.close();
      }
    },
  );

  it('reads connections that are open, and not those that listen or have ended', () => {
    const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:A415 00000000:0000 0A 00000000:00000080 00:00000000 00000000     0        0 14365215 1
   1: 0100007F:A415 0100007F:D2A4 01 0027F000:00000000 01:00000014 00000000     0        0 14365216 2
   2: 0100007F:A415 0100007F:D2A6 08 00000010:00000001 00:00000000 00000000     0        0 14365217 2
   3: 0100007F:A415 0100007F:D2A8 06 00000000:00000000 03:00000D3B 00000000     0        0 0 3
 10000: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:D2A4 01 00000001:00000000 00:0`;
    expect([...parseSocketTable(table)]).toEqual([
      ['0100007F:A415 0100007F:D2A4', 0x27f000],
      ['0100007F:A415 0100007F:D2A6', 16],
      ['0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:D2A4', 1],
    ]);
  });

  it('has no key for a connection to a socket file', () => {
    expect(connectionKey({})).toBeUndefined();
  });
});
