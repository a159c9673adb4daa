import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { NAMESPACE } from './support/client.js';
import { run } from './support/process.js';
import { Stage } from './support/stage.js';

describe('Helm with the mirror in front of the name of a chart', () => {
  let stage: Stage;
  let pushed: string;

  const helm = (...args: string[]) => {
    const { scratch } = stage;
    const environment = { HOME: scratch.path, DOCKER_CONFIG: scratch.file('no-docker') };
    return run('helm', args, { environment, directory: scratch.path });
  };
  const sha256 = async (file: string) =>
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  const pull = async (version: string) => {
    onTestFailed(async () => console.error(await stage.mirror.logTail()));
    const folder = await stage.scratch.folder('pulled');
    const chart = `oci://${stage.mirror.address}/${NAMESPACE}/charts/app`;
    await helm('pull', chart, '--version', version, '--plain-http', '--destination', folder);
    const digest = await sha256(`${folder}/app-1.2.0.tgz`);
    await stage.scratch.remove(folder);
    return digest;
  };

  beforeAll(async () => {
    stage = await Stage.open({ namespaces: [NAMESPACE] }, 'basic');
    const { address, writer } = stage.upstream.origin;
    const chart = await stage.scratch.folder('chart', 'templates');
    await writeFile(`${chart}/note.yaml`, 'kind: ConfigMap\napiVersion: v1\nmetadata: { name: note }\n');
    for (const version of ['1.0.0', '1.2.0']) {
      await writeFile(`${chart}/../Chart.yaml`, `apiVersion: v2\nname: app\nversion: ${version}\n`);
      await helm('package', 'chart');
      const account = ['--username', writer.username, '--password', writer.password];
      await helm('push', `app-${version}.tgz`, `oci://${address}/charts`, '--plain-http', ...account);
    }
    pushed = await sha256(stage.scratch.file('app-1.2.0.tgz'));
    stage.upstream.traffic.forget();
  });
  // There is no stage when opening it has failed; it has then cleaned up after itself.
  afterAll(() => (stage as Stage | undefined)?.close());

  test('pulls a chart through an empty mirror', async () => {
    expect(await pull('1.2.0')).toBe(pushed);
  });

  test('finds the newest version of a range', async () => {
    expect(await pull('^1')).toBe(pushed);
  });

  test('made the mirror fetch the chart exactly once', () => {
    const counts = { ...stage.upstream.traffic.fetched('blob'), ...stage.upstream.traffic.fetched('manifest') };
    expect(Object.values(counts)).toEqual([1, 1, 1]);
  });

  test('pulls it by version and by range with the upstream down', async () => {
    await stage.upstream.goDown();
    expect(await pull('1.2.0')).toBe(pushed);
    expect(await pull('^1')).toBe(pushed);
  });
});
