import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A port of the loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A server that a test starts as a process of its own. */
export class ServerProcess implements AsyncDisposable {
  private said = '';

  private constructor(private readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.said = (this.said + chunk.toString()).slice(-10_000)));
    }
  }

  /** @param url answers as soon as it serves. */
  static async start(command: string, args: readonly string[], env: Record<string, string>, url: string) {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const server = new ServerProcess(child);
    let failure: Error | undefined;
    child.once(
      'error',
      (error) => (failure = new Error(`${command} does not start: .ci/install-clients`, { cause: error })),
    );
    child.once('exit', (code) => (failure ??= new Error(`${command} ended with ${String(code)}: ${server.said}`)));
    for (let waited = 0; ; waited += 50) {
      if (failure) throw failure;
      const response = await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
      await response?.body?.cancel();
      if (response) return server;
      if (waited > 30_000) {
        child.kill('SIGKILL');
        throw new Error(`${command} does not serve: ${server.said}`);
      }
      await sleep(50);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}
