import { describe, expect, it } from 'vitest';
import { OciError } from './error.js';
import { parseTypedReference, referenceText } from './typed-reference.js';

const rules = {
  defaultNamespace: 'docker.io',
  configured: new Set(['docker.io', 'registry.test', 'plain', 'registry.test:5000', 'hosted.example']),
};
const digest = `sha256:${'a'.repeat(64)}`;
const own = new Set(['hosted.example', 'mirror.corp']);

function read(typed: string): string {
  return referenceText(parseTypedReference(typed, rules, (authority) => own.has(authority)));
}

describe('a reference as it is typed', () => {
  it.each([
    ['registry.test/team/app:1.0', 'registry.test/team/app:1.0'],
    ['  registry.test/team/app:1.0 ', 'registry.test/team/app:1.0'],
    ['REGISTRY.test/team/app:1.0', 'registry.test/team/app:1.0'],
    ['docker://registry.test/team/app', 'registry.test/team/app:latest'],
    ['oci://registry.test/charts/app:1.0', 'registry.test/charts/app:1.0'],
    ['plain/app', 'plain/app:latest'],
    ['registry.test:5000/app', 'registry.test:5000/app:latest'],
    ['nginx', 'docker.io/library/nginx:latest'],
    ['team/nginx:1.27', 'docker.io/team/nginx:1.27'],
    ['index.docker.io/library/nginx', 'docker.io/library/nginx:latest'],
    [`nginx:1.27@${digest}`, `docker.io/library/nginx@${digest}`],
  ])('%j is %s', (typed, whole) => {
    expect(read(typed)).toBe(whole);
  });

  it.each([
    ['127.0.0.1:8080/registry.test/team/app', 'registry.test/team/app:latest'],
    ['[::1]:8080/nginx', 'docker.io/library/nginx:latest'],
    ['localhost/registry.test/team/app', 'registry.test/team/app:latest'],
    ['localhost:5000/nginx:1.27', 'docker.io/library/nginx:1.27'],
    ['mirror.corp/nginx', 'docker.io/library/nginx:latest'],
    ['mirror.corp/ghcr.io/acme/app', 'ghcr.io/acme/app:latest'],
    ['another.corp/registry.test/team/app', 'registry.test/team/app:latest'],
    ['another.corp/ghcr.io/acme/app', 'another.corp/ghcr.io/acme/app:latest'],
    ['hosted.example/team/app:1', 'hosted.example/team/app:1'],
    ['hosted.example/ghcr.io/acme/app', 'ghcr.io/acme/app:latest'],
    ['registry.test/ghcr.io/acme/app', 'registry.test/ghcr.io/acme/app:latest'],
  ])('%s, with an address of this server or without, is %s', (typed, whole) => {
    expect(read(typed)).toBe(whole);
  });

  it.each([
    ['https://127.0.0.1:5000/v2/registry.test/team/app/manifests/1.0', 'registry.test/team/app:1.0'],
    ['http://mirror.example/v2/team/app/manifests/1.0?ns=registry.test', 'registry.test/team/app:1.0'],
    [`https://ghcr.io/v2/acme/app/manifests/${encodeURIComponent(digest)}`, `ghcr.io/acme/app@${digest}`],
  ])('the URL %s is %s', (typed, whole) => {
    expect(read(typed)).toBe(whole);
  });

  it.each([
    '',
    ' ',
    '<script>',
    'a/../b',
    'x:%zz',
    'a@sha256:00',
    '../..',
    'a'.repeat(5000),
    'http://h/v2/x/manifests/%zz',
  ])('without a meaning is refused: %j', (typed) => {
    expect(() => read(typed)).toThrow(OciError);
  });
});
