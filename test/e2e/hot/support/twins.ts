import { connect } from 'node:net';
import { expect, vi } from 'vitest';
import { HotResponses } from '../../../../src/distribution/hot/hot.responses.js';
import { FakeRegistry } from '../../../fakes/fake-registry.js';
import { Mirror, type MirrorOptions } from '../../support/mirror.js';
import { request } from '../../../fakes/request.js';

const last = 'GET /healthz HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n';

/** Two mirrors of one registry, `registry.test`: one sends what it can before the framework, the other never does. */
export class Twins implements AsyncDisposable {
  private readonly responded = vi.spyOn(HotResponses.prototype, 'respond');

  private constructor(
    readonly registry: FakeRegistry,
    readonly hot: Mirror,
    readonly framework: Mirror,
  ) {}

  static async start(optionsOf: () => MirrorOptions = () => ({})): Promise<Twins> {
    const registry = await FakeRegistry.start();
    const start = (isFrameworkOnly: boolean) => {
      const options = optionsOf();
      const upstreams = [{ namespace: 'registry.test', host: registry.host }];
      return Mirror.start({ ...options, upstreams, isFrameworkOnly });
    };
    return new Twins(registry, await start(false), await start(true));
  }

  get both(): readonly [Mirror, Mirror] {
    return [this.hot, this.framework];
  }

  /** Responses that came before the framework so far. */
  get count(): number {
    return this.responded.mock.results.filter(({ value }) => value === true).length;
  }

  /** Sends the same bytes to both and expects the same ones back, apart from ids and times. @returns them */
  async expectSame(bytes: string): Promise<string> {
    const [hot, framework] = await Promise.all(this.both.map((mirror) => converse(mirror.url, bytes)));
    expect(hot, bytes).toBe(framework);
    return hot!;
  }

  /** Expects the same log lines and the same metrics from both. */
  async expectSameRecords(): Promise<void> {
    for (const mirror of this.both) await mirror.settled();
    const [hot, framework] = this.both.map(linesOf);
    expect(hot).toEqual(framework);
    const [metrics, others] = await Promise.all(this.both.map(metricsOf));
    expect(metrics).toEqual(others);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.responded.mockRestore();
    for (const mirror of this.both) await mirror[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
  }
}

/** Everything that the server says until it closes the connection, which one more request makes it do. */
async function converse(url: string, bytes: string): Promise<string> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const closed = new Promise<void>((resolve, reject) => {
    socket.once('close', () => resolve());
    socket.setTimeout(20_000, () => reject(new Error(`no end of the response to ${bytes}`)));
  });
  // A server may reset the connection of somebody who goes on talking; what it said before counts.
  socket.on('error', () => undefined);
  socket.write(bytes + last, 'latin1');
  await closed.finally(() => socket.destroy());
  return withoutTimes(Buffer.concat(chunks).toString('latin1'));
}

function withoutTimes(text: string): string {
  return text
    .replaceAll(/^Date: .*$/gm, 'Date: …')
    .replaceAll(/^x-request-id: [0-9a-f]{12}-[0-9a-z]+\r$/gm, 'x-request-id: …')
    .replaceAll(/^age: \d+\r$/gm, 'age: …');
}

/** Lines of requests as they are, apart from ids, times, and sizes with ids that the server has made. */
function linesOf({ log }: Mirror): string[] {
  return log
    .split('\n')
    .filter((line) => line.includes('"msg":"request"') || line.includes('"audit"'))
    .map((line) =>
      line
        .replace(/"time":"[^"]*"/, '"time":…')
        .replace(/("(?:id|request)"):"[0-9a-f]{12}-[0-9a-z]+"/, '$1:…')
        .replace(/"duration":\d+/, '"duration":…')
        .replace(/("id":….*)"bytes":\d+/, '$1"bytes":…'),
    );
}

/** Samples of everything that requests change, apart from how long they took. */
async function metricsOf(mirror: Mirror): Promise<string[]> {
  const { body } = await request(`${mirror.url}/metrics`);
  const counted =
    /^(manifest_|blob_|oci_registry_(cache|sent|saved|http|sign|access|rate|audit|upstream_received|webhook_events))/;
  return body
    .toString()
    .split('\n')
    .filter((line) => counted.test(line) && !/_seconds_(sum|bucket)/.test(line));
}
