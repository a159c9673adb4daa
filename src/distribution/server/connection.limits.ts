import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Part of `maxConnections` from which idle connections are closed to make room. */
const nearLimit = 0.9;

interface Connection {
  readonly socket: Socket;
  readonly peer: Peer;
  /** Requests in progress or waiting. */
  requests: number;
}

/** All connections of one client address. */
interface Peer {
  count: number;
  /** Longest idle first. */
  readonly idle: Set<Connection>;
}

/**
 * Bounds connections in all and per client address. Whenever a limit is near or reached, the connection that has been
 * idle longest is closed first; only if none is idle, the new one is.
 */
export class ConnectionLimits {
  private readonly peers = new Map<string, Peer>();
  private readonly connections = new Map<string, Connection>();
  /** Of the sockets that requests have, so that a key is made once for each. */
  private readonly known = new WeakMap<Socket, Connection>();
  private readonly idle = new Set<Connection>();

  /** @param perAddress connections of one client address; clients of a socket file have none. */
  constructor(
    private readonly max: number,
    private readonly perAddress: number,
  ) {}

  /** Call it after every other listener for requests is added. */
  watch(server: Server): void {
    server.maxConnections = this.max;
    server.on('connection', (socket) => this.accept(socket));
    server.on('request', ({ socket }, response) => {
      const connection = this.known.get(socket) ?? this.connections.get(keyOf(socket));
      if (!connection) return;
      this.known.set(socket, connection);
      connection.requests += 1;
      this.setIdle(connection, false);
      response.on('close', () => {
        connection.requests -= 1;
        if (connection.requests === 0 && !connection.socket.destroyed) this.setIdle(connection, true);
      });
    });
  }

  private accept(socket: Socket): void {
    const { remoteAddress: address } = socket;
    if (address === undefined) return;
    const peer = this.peers.get(address) ?? { count: 0, idle: new Set<Connection>() };
    if (peer.count >= this.perAddress && !this.closeFirst(peer.idle)) {
      socket.destroy();
      return;
    }
    if (this.connections.size >= Math.floor(this.max * nearLimit)) this.closeFirst(this.idle);
    this.peers.set(address, peer);
    const connection = { socket, peer, requests: 0 };
    const key = keyOf(socket);
    peer.count += 1;
    this.connections.set(key, connection);
    this.setIdle(connection, true);
    socket.once('close', () => {
      this.connections.delete(key);
      this.setIdle(connection, false);
      peer.count -= 1;
      if (peer.count === 0) this.peers.delete(address);
    });
  }

  /** @returns whether there was an idle connection */
  private closeFirst(idle: ReadonlySet<Connection>): boolean {
    const [first] = idle;
    if (!first) return false;
    first.socket.destroy();
    this.setIdle(first, false);
    return true;
  }

  private setIdle(connection: Connection, isIdle: boolean): void {
    for (const set of [this.idle, connection.peer.idle]) {
      if (isIdle) set.add(connection);
      else set.delete(connection);
    }
  }
}

/** The same for a TLS socket and the connection below it. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}|${remotePort}`;
}
