import { setTimeout as sleep } from 'node:timers/promises';
import { Conversation, type Heard, type Said } from '../../e2e/push/support/conversation.js';
import { withQuery } from '../../e2e/push/support/hosting.js';
import type { FixtureBlob, FixtureImage } from '../../fixtures/images.js';

/** How a client uploads a layer, and what it does about failures. */
export interface Pusher {
  readonly name: string;
  /** Milliseconds before each further try of a layer or manifest. */
  readonly delays: readonly number[];
  /** Whether it tries again after this status; 0 is a connection that ended. */
  isRetried(status: number): boolean;
  upload(client: Client, path: string, blob: FixtureBlob): Promise<void>;
}

/** A response that the client did not expect. */
export class Unexpected extends Error {
  constructor(
    readonly step: string,
    readonly status: number,
    readonly body: string,
  ) {
    super(`${step}: ${status} ${body}`);
  }
}

/** A client whose connection is opened anew when it ends. */
export class Client implements AsyncDisposable {
  private conversation: Conversation | undefined;

  constructor(private readonly url: string) {}

  /** @throws Unexpected unless the status is one of those expected; with status 0 when the connection ends */
  async ask(method: string, target: string, said: Said, expected: readonly number[]): Promise<Heard> {
    const heard = await this.attempt(method, target, said);
    const { status, body } = heard;
    if (expected.includes(status)) return heard;
    throw new Unexpected(`${method} ${target.replace(/\?.*/, '')}`, status, body.toString());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.conversation?.[Symbol.asyncDispose]();
  }

  private async attempt(method: string, target: string, said: Said): Promise<Heard> {
    if (this.conversation?.isOver !== false) {
      this.conversation = await Conversation.open(this.url);
    }
    try {
      const bytes = Conversation.bytesOf(method, target, said);
      this.conversation.say(bytes);
      const heard = await this.conversation.hear({ isHead: method === 'HEAD', deadline: 60_000 });
      // A refusal before the end of a body.
      if (heard.headers.connection === 'close') await this.leave();
      return heard;
    } catch (error) {
      await this.leave();
      return { status: 0, headers: {}, body: Buffer.from(String(error)) };
    }
  }

  private async leave(): Promise<void> {
    await this.conversation?.[Symbol.asyncDispose]();
    this.conversation = undefined;
  }
}

const serverErrors = [0, 408, 429, 500, 502, 503, 504];

async function exists(client: Client, path: string, { digest }: FixtureBlob): Promise<boolean> {
  return (await client.ask('HEAD', `${path}/${digest}`, {}, [200, 404])).status === 200;
}

async function begin(client: Client, path: string, query = ''): Promise<string> {
  return (await client.ask('POST', `${path}/uploads/${query}`, { body: '' }, [202])).headers.location!;
}

async function finish(client: Client, location: string, digest: string, body: Buffer | string = ''): Promise<void> {
  await client.ask('PUT', withQuery(location, `digest=${digest}`), { body }, [201]);
}

/** One PATCH without Content-Length; five tries of a layer, each from its start (moby, facts of graph drivers). */
const docker: Pusher = {
  name: 'docker',
  delays: [500, 1_000, 1_500, 2_000],
  isRetried: (status) => ![401, 403, 405, 429].includes(status),
  async upload(client, path, blob) {
    if (await exists(client, path, blob)) return;
    const location = await begin(client, path);
    const patched = await client.ask('PATCH', location, { body: [blob.body] }, [202]);
    await finish(client, patched.headers.location!, blob.digest);
    if (!(await exists(client, path, blob))) throw new Unexpected('HEAD after PUT', 404, blob.digest);
  },
};

/** One PATCH with Content-Length; three tries of a layer on server errors. */
const crane: Pusher = {
  name: 'crane',
  delays: [1_000, 3_000],
  isRetried: (status) => serverErrors.includes(status),
  async upload(client, path, blob) {
    if (await exists(client, path, blob)) return;
    const location = await begin(client, path, `?mount=${blob.digest}&from=local/unknown`);
    const patched = await client.ask('PATCH', location, { body: blob.body }, [202]);
    await finish(client, patched.headers.location!, blob.digest);
  },
};

/** The whole layer in a PUT, a request that failed with 500, 503 or 504 once more; BuildKit begins again three times. */
const buildkit: Pusher = {
  name: 'buildkit',
  delays: [1_000, 2_000, 4_000],
  isRetried: (status) => status === 0 || status >= 500,
  async upload(client, path, blob) {
    if (await exists(client, path, blob)) return;
    const location = await begin(client, path);
    const again = [500, 503, 504];
    const put = async () => finish(client, location, blob.digest, blob.body);
    await put().catch((error: unknown) => {
      if (error instanceof Unexpected && again.includes(error.status)) return put();
      throw error;
    });
  },
};

/** Chunks with Content-Range; after a failure it asks where the session stands, and goes on there. */
function chunking(size: number): Pusher {
  return {
    name: 'regctl',
    delays: [500, 1_000, 2_000],
    isRetried: (status) => [...serverErrors, 404].includes(status),
    async upload(client, path, blob) {
      let location = await begin(client, path);
      const { length } = blob.body;
      let failures = 0;
      for (let done = 0; done < length;) {
        const chunk = blob.body.subarray(done, done + size);
        const headers = [`content-range: ${done}-${done + chunk.length - 1}`];
        const patched = await client.ask('PATCH', location, { body: chunk, headers }, [202, 416, ...serverErrors]);
        const isTaken = patched.status === 202;
        if (!isTaken && (failures += 1) > 5) throw new Unexpected('PATCH', patched.status, patched.body.toString());
        if (!isTaken) await sleep(200 * failures);
        const { headers: place } = isTaken ? patched : await client.ask('GET', location, {}, [204]);
        location = place.location!;
        const last = Number(/^0-(\d+)$/.exec(place.range!)![1]);
        done = last === 0 ? 0 : last + 1;
      }
      await finish(client, location, blob.digest);
    },
  };
}

/** @param chunk bytes of a chunk */
export const pushersWith = (chunk: number): readonly Pusher[] => [docker, crane, buildkit, chunking(chunk)];

/** Pushes an image as the client does. @returns how often something was tried again. @throws Unexpected */
export async function pushAs(
  pusher: Pusher,
  client: Client,
  { repository, tag, image }: { repository: string; tag: string; image: FixtureImage },
): Promise<number> {
  let retries = 0;
  const trying = async (action: () => Promise<unknown>) => {
    for (let tries = 0; ; tries += 1) {
      try {
        await action();
        return;
      } catch (error) {
        const delay = pusher.delays[tries];
        if (!(error instanceof Unexpected) || delay === undefined || !pusher.isRetried(error.status)) throw error;
        retries += 1;
        await sleep(delay);
      }
    }
  };
  const { config, layers, manifest } = image;
  const path = `/v2/${repository}`;
  for (const blob of [...layers, config]) await trying(() => pusher.upload(client, `${path}/blobs`, blob));
  const headers = [`content-type: ${manifest.mediaType}`];
  const said = { body: manifest.body, headers };
  await trying(() => client.ask('PUT', `${path}/manifests/${tag}`, said, [201]));
  return retries;
}
