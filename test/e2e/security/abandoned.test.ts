import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { DrainService } from '../../../src/distribution/server/drain.service.js';
import { makeBlob, makeImage } from '../../fixtures/images.js';
import { openFiles } from '../support/open-files.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

const blob = makeBlob(8_000_000, 'abandoned');
const image = makeImage();

describe('requests behind one another on a connection', () => {
  it.each(['a blob', 'a manifest', 'nothing that is there'])(
    'hold nothing any more when the client has left before its turn came to %s',
    async (kind) => {
      await using stage = await Stage.start();
      stage.registry.addBlob('team/app', blob);
      stage.registry.addImage('team/app', image, ['1']);
      await stage.get(`team/app/blobs/${blob.digest}`);
      await stage.mirror.settled();
      const files = await openFiles();
      const path = kind === 'a blob' ? `blobs/${blob.digest}` : `manifests/${kind === 'a manifest' ? '1' : 'absent'}`;
      const { port, hostname } = new URL(stage.mirror.url);
      const lines = (target: string) => `GET /v2/registry.test/team/app/${target} HTTP/1.1\r\nhost: m\r\n\r\n`;
      for (let round = 0; round < 5; round += 1) {
        const socket = connect(Number(port), hostname);
        socket.on('error', () => undefined);
        // The first is more than the client takes, so that the others wait.
        socket.write(lines(`blobs/${blob.digest}`) + lines(path).repeat(20));
        await once(socket, 'readable');
        const drain = stage.mirror.app.get(DrainService);
        await until('the first is sent, and no other has begun', () => drain.count === 1);
        socket.destroy();
        await until('nothing is sent any more', () => drain.count === 0, 3_000);
      }
      await until('the files are closed', async () => (await openFiles()) <= files);
      expect(stage.mirror.log).not.toMatch(/"level":[56]0/);
      expect((await stage.get(`team/app/blobs/${blob.digest}`)).body.equals(blob.body)).toBe(true);
    },
  );
});
