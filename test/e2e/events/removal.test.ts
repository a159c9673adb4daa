import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { Stage } from '../support/stage.js';
import { Receiver } from './support/receiver.js';

const image = makeImage({ seed: 'removed', layers: [64] });
const [layer] = image.layers;
const rules = `rules:
  - { repositories: ['**'], who: [anonymous], may: [pull] }
  - { repositories: ['**'], who: ['user:anna'], may: [admin] }
`;

it('what an operator removes is evicted, by whom', async () => {
  await using folder = await Folder.make();
  await writeFile(folder.file('htpasswd'), `anna:${await bcrypt('planted', 4)}\n`);
  await using receiver = await Receiver.start();
  await using stage = await Stage.start({
    webhooks: `- { name: ci, url: '${receiver.url}', events: [evict, delete] }`,
    access: `users_file: ${folder.file('htpasswd')}\n${rules}`,
  });
  stage.registry.addImage('team/app', image, ['1.0', '2.0']);
  const anna = { authorization: `Basic ${Buffer.from('anna:planted').toString('base64')}` };
  const remove = async (path: string, headers: Record<string, string> = anna) => {
    const url = `${stage.mirror.url}/_admin/registry.test/team/app/${path}`;
    return (await request(url, { method: 'DELETE', headers })).status;
  };
  for (const path of ['manifests/1.0', 'manifests/2.0', `blobs/${layer!.digest}`]) await stage.get(`team/app/${path}`);
  await stage.mirror.settled();

  expect(await remove('manifests/1.0', {})).not.toBe(200);
  expect(await remove('manifests/1.0')).toBe(200);
  expect(await remove(`manifests/${image.manifest.digest}`)).toBe(404);
  // Its manifest went with the other tag.
  expect(await remove('manifests/2.0')).toBe(200);
  expect(await remove(`blobs/${layer!.digest}`)).toBe(200);
  expect(await remove(`blobs/${layer!.digest}`)).toBe(404);
  await stage.get('team/app/manifests/1.0');
  await stage.mirror.settled();
  expect(await remove(`manifests/${image.manifest.digest}`)).toBe(200);

  await receiver.until(5);
  const sent = receiver.events.map(({ action, target: { digest, tag, repository }, actor, request: cause }) => {
    return { action, digest, tag, repository, actor, method: cause.method };
  });
  const event = { action: 'evict', repository: 'registry.test/team/app', actor: { name: 'user:anna' }, method: '' };
  const manifest = { ...event, digest: image.manifest.digest };
  expect(sent).toEqual([
    { ...event, tag: '1.0' },
    manifest,
    { ...event, tag: '2.0' },
    { ...event, digest: layer!.digest },
    manifest,
  ]);
});
