import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordedRequest } from '../../../test/fakes/registry/request-log.js';
import { outcomeOf } from '../get.js';
import { settleTime, Stand } from '../stand.js';
import type { Trial } from '../trial.js';

const wrongBlob: Trial = {
  row: 'Blob, upstream sends wrong bytes of the right length',
  run: async (setting) => {
    const stand = await Stand.open(setting);
    const [, layer] = stand.image.layers;
    const { digest, body } = layer!;
    stand.upstream.behaviour.before = lie('blob', Buffer.alloc(body.length, 'x'));
    const first = outcomeOf(await stand.blob(digest), digest);
    await sleep(settleTime);
    stand.upstream.behaviour.before = undefined;
    return verdictOf(first, outcomeOf(await stand.blob(digest), digest));
  },
};

const wrongManifest: Trial = {
  row: 'Manifest by digest, upstream sends another one',
  run: async (setting) => {
    const stand = await Stand.open(setting);
    const { digest, body, mediaType } = stand.image.manifest;
    const other = Buffer.from(body.toString().replace('1000000', '1000001'));
    stand.upstream.behaviour.before = lie('manifest', other, mediaType);
    const first = outcomeOf(await stand.manifest(digest), digest);
    await sleep(settleTime);
    stand.upstream.behaviour.before = undefined;
    return verdictOf(first, outcomeOf(await stand.manifest(digest), digest));
  },
};

function lie(kind: RecordedRequest['kind'], bytes: Buffer, mediaType = 'application/octet-stream') {
  return (request: RecordedRequest, response: ServerResponse): void => {
    if (request.kind !== kind) return;
    response.writeHead(200, {
      'content-type': mediaType,
      'content-length': bytes.length,
      'docker-content-digest': request.reference,
    });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  };
}

/** @param first what the client saw @param second and what the next one sees, when the upstream is right again */
function verdictOf(first: string, second: string): string {
  const delivered = first === 'wrong bytes' ? 'delivered whole' : `refused (${first})`;
  return `${delivered}, ${second === 'served' ? 'not stored' : `then ${second}`}`;
}

const cut: Trial = {
  row: 'Blob of 20 MB, upstream cuts the connection after 10 MB',
  run: async (setting) => {
    const stand = await Stand.open(setting, {});
    const { digest, body } = stand.addBlob(20_000_000, 'cut');
    let cuts = 1;
    stand.upstream.behaviour.before = async ({ kind, method }, response) => {
      if (kind !== 'blob' || method !== 'GET' || cuts-- <= 0) return;
      response.writeHead(200, {
        'content-type': 'application/octet-stream',
        'content-length': body.length,
        etag: digest,
      });
      await new Promise<void>((resolve) => response.write(body.subarray(0, body.length / 2), () => resolve()));
      response.destroy();
    };
    const outcome = outcomeOf(await stand.blob(digest), digest);
    const further = stand.upstream.bodyBytes({ kind: 'blob', reference: digest }) / 1e6;
    return outcome === 'served' ? `served, ${Math.round(further)} MB downloaded after the cut` : outcome;
  },
};

const range: Trial = {
  row: 'Range request for a blob that is not stored',
  run: async (setting) => {
    const stand = await Stand.open(setting);
    const { digest } = stand.addBlob(1_000_000, 'range');
    const { status } = await stand.blob(digest, { headers: { range: 'bytes=500000-' } });
    return status === 206 ? '206, the range' : status === 200 ? '200, the whole blob' : String(status);
  },
};

export const byteTrials: readonly Trial[] = [wrongBlob, wrongManifest, cut, range];
