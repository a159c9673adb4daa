import { describe, expect, it } from 'vitest';
import { Mirror } from '../support/mirror.js';
import { pageText } from '../support/pages.js';

const setup = '/_ui/setup';

describe('the set-up page', () => {
  it('configures clients for the address that it was asked at, and for no other text', async () => {
    await using mirror = await Mirror.start({ server: { unknownNamespaces: 'deny' } });
    expect(await pageText(mirror, setup, { headers: { host: 'Mirror.Example.com:8080' } })).toContain(
      'http://mirror.example.com:8080',
    );
    const secure = await pageText(mirror, setup, {
      headers: { host: 'mirror.example.com', 'x-forwarded-proto': 'https' },
    });
    expect(secure).toContain('https://mirror.example.com');
    const refused = await pageText(mirror, setup, { headers: { host: 'a"]b.example' } });
    expect(refused).not.toContain('b.example');
  });

  it.each([
    ['docker.io', true],
    ['Index.Docker.io', true],
    ['ghcr.io', false],
    ['registry.test', false],
  ])(
    'offers registry-mirrors for Docker Hub only if requests of Docker go there: %s',
    async (defaultNamespace, offers) => {
      const upstreams = [{ namespace: 'docker.io', host: '127.0.0.1:1' }];
      await using mirror = await Mirror.start({ server: { defaultNamespace }, upstreams });
      expect((await pageText(mirror, setup)).includes('registry-mirrors')).toBe(offers);
    },
  );
});
