import { describe, expect, it } from 'vitest';
import { parseImageReference } from './image-reference.js';

const rules = { defaultNamespace: 'docker.io', configured: new Set(['internal']) };
const sha256 = `sha256:${'a'.repeat(64)}`;

const read = (text: string) => {
  const { repository, reference } = parseImageReference(text, rules);
  return [repository.toString(), reference.toString()];
};

describe('parseImageReference', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox', 'latest'],
    ['busybox:1.36', 'docker.io/library/busybox', '1.36'],
    ['docker.io/library/busybox:1.36', 'docker.io/library/busybox', '1.36'],
    ['index.docker.io/busybox', 'docker.io/library/busybox', 'latest'],
    ['team/app', 'docker.io/team/app', 'latest'],
    ['ghcr.io/owner/app:v1', 'ghcr.io/owner/app', 'v1'],
    ['registry.test:5000/app', 'registry.test:5000/app', 'latest'],
    ['localhost/app:x', 'localhost/app', 'x'],
    ['x.y_z/app:1', 'docker.io/x.y_z/app', '1'],
    ['internal/app', 'internal/app', 'latest'],
    [`ghcr.io/owner/app@${sha256}`, 'ghcr.io/owner/app', sha256],
    [`ghcr.io/owner/app:v1@${sha256}`, 'ghcr.io/owner/app', sha256],
  ])('reads %s', (text, repository, reference) => {
    expect(read(text)).toEqual([repository, reference]);
  });

  it.each([
    ['', 'NAME_INVALID'],
    ['/', 'NAME_INVALID'],
    ['Upper/case', 'NAME_INVALID'],
    ['ghcr.io/', 'NAME_INVALID'],
    ['https://ghcr.io/owner/app', 'NAME_INVALID'],
    ['ghcr.io/owner/../app', 'NAME_INVALID'],
    ['busybox:', 'TAG_INVALID'],
    ['busybox:a b', 'TAG_INVALID'],
    ['busybox@sha256:short', 'DIGEST_INVALID'],
    ['busybox@', 'DIGEST_INVALID'],
    ['a'.repeat(2000), 'NAME_INVALID'],
  ])('refuses %s', (text, code) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code }) as Error);
  });
});
