import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import { type Client, NAMESPACE, type OpenClient } from './client.js';
import { contents } from './images.js';
import { oneTokenEach, onceEach, pull } from './pull.js';
import { Stage } from './stage.js';
import { storedContent, uncommitted } from './stored-content.js';
import { until } from './until.js';
import type { Authentication } from './upstream-registry.js';

/**
 * The tests that every client must pass, in this order. Each client gets an upstream and a mirror of its own: only so
 * is it the one that makes the mirror fetch, and the counts say what its way of asking costs. `together.test.ts` has
 * all of them at one mirror.
 */
export function pullsThroughTheMirror<C extends Client>(
  open: OpenClient<C>,
  authentication: Authentication = 'token',
): () => { stage: Stage; client: C } {
  let stage: Stage;
  let client: C;

  beforeAll(async () => {
    stage = await Stage.open({ namespaces: [NAMESPACE, 'docker.io'] }, authentication);
    client = await open(stage.scratch, stage.mirror);
  });
  // There is no stage when opening it has failed; it has then cleaned up after itself.
  afterAll(() => (stage as Stage | undefined)?.close());

  const pullEveryImage = async () => {
    onTestFailed(async () => console.error(await stage.mirror.logTail()));
    for (const image of stage.everyImage) await pull(client, image);
  };

  test('pulls every image through an empty mirror and reports the digests they were made with', pullEveryImage);

  test('made the mirror fetch each blob exactly once', () => {
    expect(stage.upstream.traffic.fetched('blob')).toEqual(onceEach('blobs', stage.everyImage, client.takes));
  });

  test('made the mirror fetch each manifest exactly once', () => {
    expect(stage.upstream.traffic.fetched('manifest')).toEqual(onceEach('manifests', stage.everyImage, client.takes));
  });

  const tokens = authentication === 'token' ? 'one token per repository' : 'no token';
  test(`made the mirror ask for ${tokens}`, () => {
    expect(stage.upstream.traffic.tokens()).toEqual(authentication === 'token' ? oneTokenEach(stage.everyImage) : {});
  });

  const pullEveryImageAgain = async () => {
    const { length } = await stage.mirror.log();
    await client.wipe();
    await pullEveryImage();
    const blobs = stage.everyImage.flatMap((image) => contents(image, client.takes).blobs);
    await until('the client has asked the mirror for every blob again', async () => {
      const since = (await stage.mirror.log()).slice(length);
      return blobs.every((digest) => since.includes(digest));
    });
  };

  test('pulls every image again into an empty store with the upstream down and unasked', async () => {
    await stage.upstream.goDown();
    await pullEveryImageAgain();
    expect(stage.upstream.knocks).toBe(0);
  });

  test('pulls every image again after a restart of the mirror with the upstream down and unasked', async () => {
    await stage.mirror.restart();
    await pullEveryImageAgain();
    expect(stage.upstream.knocks).toBe(0);
  });

  test('pulls every image again with every tag and permission expired, while the upstream cannot be asked', async () => {
    await stage.mirror.restartWithEverythingExpired();
    await pullEveryImageAgain();
    expect(stage.upstream.knocks).toBeGreaterThan(0);
  });

  test('left in the store what it pulled and nothing else, each under its own digest', async () => {
    const wanted = stage.everyImage.flatMap((image) => Object.values(contents(image, client.takes)).flat());
    const content = await storedContent(stage.mirror.root);
    expect(content.filter(({ named, found }) => named !== found)).toEqual([]);
    expect(content.map(({ found }) => found).sort()).toEqual([...new Set(wanted)].sort());
    expect(await uncommitted(stage.mirror.root)).toEqual([]);
  });

  test('left neither the password nor a token in the log of the mirror', async () => {
    const log = await stage.mirror.log();
    expect(stage.upstream.secrets.filter((secret) => log.includes(secret))).toEqual([]);
  });

  return () => ({ stage, client });
}
