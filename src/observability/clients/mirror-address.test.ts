import { describe, expect, it } from 'vitest';
import { mirrorAddress } from './mirror-address.js';

const address = (host: string | undefined, isTls = false) => mirrorAddress(host, isTls, ['docker.io']);

describe('the address of the mirror', () => {
  it.each([
    ['mirror.example.com:8080', false, 'http://mirror.example.com:8080', 'mirror.example.com:8080'],
    ['Mirror.Example.com', true, 'https://mirror.example.com', 'mirror.example.com'],
    ['10.0.0.7:8080', false, 'http://10.0.0.7:8080', '10.0.0.7:8080'],
    ['[fd00::7]:8080', false, 'http://[fd00::7]:8080', '[fd00::7]:8080'],
    ['localhost', false, 'http://localhost', 'localhost'],
    // Otherwise a name that begins with it would be one at Docker Hub.
    ['mirror', false, 'http://mirror', 'mirror:80'],
    ['mirror', true, 'https://mirror', 'mirror:443'],
    ['mirror:443', false, 'http://mirror:443', 'mirror:443'],
  ])('takes %s (TLS: %s)', (host, isTls, url, name) => {
    expect(address(host, isTls)).toEqual({
      url,
      host: name,
      isTls,
      namespaces: ['docker.io'],
      defaultNamespace: 'docker.io',
    });
  });

  it.each([
    undefined,
    '',
    'a b',
    'mirror"]\n[host."http://evil.example"',
    'mirror.example.com/path',
    'user@mirror.example.com',
    'mirror.example.com:99999',
    'mirror.example.com:80:80',
    '<script>',
    'mirror\u0000',
    'münchen.example',
    'a'.repeat(300),
  ])('refuses %j', (host) => {
    expect(address(host)).toBeUndefined();
  });
});
