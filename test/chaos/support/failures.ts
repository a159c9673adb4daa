import type { ServerResponse } from 'node:http';
import type { FakeRegistry } from '../../fakes/fake-registry.js';
import type { RecordedRequest } from '../../fakes/registry/request-log.js';
import { makeImage } from '../../fixtures/images.js';
import { FastTime } from './fast-time.js';
import { Names } from './names.js';

/** One thing that an upstream can do to whoever asks it from now on. */
export interface Trouble {
  readonly begin: (registry: FakeRegistry, names: SwitchableNames) => void | Promise<void>;
}

/** A DNS that can lose its names. */
export class SwitchableNames extends Names {
  isLost = false;

  constructor() {
    super(() => (this.isLost ? undefined : ['127.0.0.1']));
  }
}

type HttpResponse = (request: RecordedRequest, response: ServerResponse) => void | Promise<void>;

const status = (code: number): Trouble => ({
  begin: ({ behaviour }) => void (behaviour.outage = { status: code }),
});
const respond = (before: HttpResponse): Trouble & { readonly before: HttpResponse } => ({
  before,
  begin: ({ behaviour }) => void (behaviour.before = before),
});

const other = makeImage({ seed: 'something else' }).manifest;
const typeOf = ({ kind }: RecordedRequest) =>
  kind === 'manifest' || kind === 'referrers' ? 'application/vnd.oci.image.index.v1+json' : 'application/json';

/** What is no answer: the upstream cannot be asked, or says nothing that can be true. */
export const failures = {
  '429': status(429),
  '500': status(500),
  '502': status(502),
  '503': status(503),
  '504': status(504),
  silence: respond((_, response) => new Promise((resolve) => response.once('close', resolve))),
  'a refused connection': { begin: (registry) => registry.stop() },
  'a reset': respond((_, response) => void response.socket?.resetAndDestroy()),
  'a lost name': {
    begin: async (registry, names) => {
      names.isLost = true;
      // Connections that are open need no name.
      await registry.stop();
      await registry.restart();
    },
  },
  'a page for people': respond(({ method }, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end(method === 'HEAD' ? '' : '<p>Please sign in');
  }),
  'content of another digest': respond(({ method }, response) => {
    // Without a digest at HEAD, so that only the content tells.
    if (method === 'HEAD') return void response.writeHead(200, { 'content-type': other.mediaType }).end();
    const headers = { 'content-type': other.mediaType, 'docker-content-digest': `sha256:${'0'.repeat(64)}` };
    response.writeHead(200, headers).end(other.body);
  }),
  'a cut': respond((request, response) => {
    response.writeHead(200, {
      'content-type': typeOf(request),
      ...(request.method === 'GET' && { 'content-length': 9_999 }),
    });
    if (request.method === 'HEAD') response.end();
    else response.write('{"schemaVersion"', () => response.socket?.end());
  }),
} as const satisfies Record<string, Trouble>;

/** What is an answer, and no good news. */
export const refusals = {
  '401': status(401),
  '403': status(403),
  '404': status(404),
} as const satisfies Record<string, Trouble>;

/** The upstream as it was. */
export async function recover(registry: FakeRegistry, names: SwitchableNames): Promise<void> {
  registry.behaviour.outage = undefined;
  registry.behaviour.before = undefined;
  names.isLost = false;
  await registry.restart();
}

/** Lets deadlines pass quickly while something is done. @returns with how many seconds passed. */
export async function quickly(action: () => Promise<unknown>): Promise<number> {
  using time = new FastTime();
  await action();
  return time.seconds;
}
