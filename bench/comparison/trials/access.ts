import { makeImage } from '../../../test/fixtures/images.js';
import { digestOf } from '../../content/bytes.js';
import { get, outcomeOf } from '../get.js';
import { blobUrl, manifestUrl, namespace, repository, Stand, startUpstream, tag } from '../stand.js';
import { writeUsers } from '../subject.js';
import type { Trial } from '../trial.js';

const secondRegistry: Trial = {
  row: 'Two registries through one process',
  run: async (setting) => {
    const other = await startUpstream(setting.scope);
    const image = makeImage({ seed: 'the other registry' });
    other.addImage(repository, image, [tag]);
    const first = await startUpstream(setting.scope);
    first.addImage(repository, makeImage({ seed: 'the first registry' }), [tag]);
    const upstreams = [
      { namespace, url: first.url },
      { namespace: 'other.test', url: other.url },
    ];
    const stand = await Stand.open(setting, { upstreams });
    const outcome = outcomeOf(await get(manifestUrl(stand.origin, tag, 'other.test')), image.manifest.digest);
    return outcome === 'served' ? 'yes' : outcome === 'wrong bytes' ? 'no' : outcome;
  },
};

const login = { username: 'user', password: 'planted-password' };

const privateUpstream: Trial = {
  row: 'Private repository, with credentials in the configuration',
  run: async (setting) => {
    const upstream = await startUpstream(setting.scope, { auth: 'bearer', anonymous: false, ...login });
    const image = makeImage({ seed: 'private' });
    upstream.addImage(repository, image, [tag]);
    const stand = await Stand.open(setting, { upstreams: [{ namespace, url: upstream.url, credentials: login }] });
    return outcomeOf(await stand.manifest(), image.manifest.digest);
  },
};

const otherRepository: Trial = {
  row: 'Stored blob, requested under a repository that does not have it',
  run: async (setting) => {
    const stand = await Stand.open(setting);
    await stand.fill();
    const { digest } = stand.image.config;
    return outcomeOf(await get(blobUrl(stand.origin, digest, namespace, 'team/other')), digest);
  },
};

const clientLogin: Trial = {
  row: 'Clients need a password: without it; with it',
  run: async (setting) => {
    const stand = await Stand.open(setting, { htpasswd: await writeUsers(setting.folder) });
    const authorization = `Basic ${Buffer.from('client:client-password').toString('base64')}`;
    const expected = stand.image.manifest.digest;
    const without = outcomeOf(await stand.manifest(), expected);
    return `${without}; ${outcomeOf(await stand.manifest(tag, { headers: { authorization } }), expected)}`;
  },
};

const hosted = 'hosted.test';

const pushBeside: Trial = {
  row: 'Push of an own image to the same process, and its pull',
  run: async (setting) => {
    const stand = await Stand.open(setting, { hosted });
    const { config } = makeImage({ seed: 'pushed' });
    const repositoryUrl = `${stand.origin}/v2/team/pushed`;
    const upload = `${repositoryUrl}/blobs/uploads/?digest=${config.digest}&ns=${hosted}`;
    const blob = await get(upload, { method: 'POST', body: new Uint8Array(config.body) });
    if (blob.status !== 201) return `refused (${blob.status ?? 'cut'})`;
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const descriptor = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config.digest };
    const body = JSON.stringify({
      ...{ schemaVersion: 2, mediaType, layers: [] },
      config: { ...descriptor, size: config.body.length },
    });
    const url = `${repositoryUrl}/manifests/${tag}?ns=${hosted}`;
    const put = await get(url, { method: 'PUT', headers: { 'content-type': mediaType }, body });
    if (put.status !== 201) return `refused (${put.status ?? 'cut'})`;
    return outcomeOf(await get(url), digestOf(Buffer.from(body)));
  },
};

const push: Trial = {
  row: 'Push to the mirror',
  run: async (setting) => {
    const stand = await Stand.open(setting);
    const url = `${stand.origin}/v2/${repository}/blobs/uploads/?ns=${namespace}`;
    const { status } = await get(url, { method: 'POST' });
    return status === 202 ? 'accepted' : `refused (${status ?? 'cut'})`;
  },
};

export const accessTrials: readonly Trial[] = [
  secondRegistry,
  privateUpstream,
  otherRepository,
  clientLogin,
  push,
  pushBeside,
];
