import { describe, expect, it } from 'vitest';
import { parseOrigin } from './origin.js';

describe('parseOrigin', () => {
  it.each([
    ['http://10.0.0.7:8080', 'http://10.0.0.7:8080'],
    ['http://10.0.0.7:8080/', 'http://10.0.0.7:8080'],
    ['http://10.0.0.7:80', 'http://10.0.0.7'],
    ['https://[FD00::7]:8443', 'https://[fd00::7]:8443'],
    ['HTTPS://Mirror-1.Example.com', 'https://mirror-1.example.com'],
  ])('takes %s', (text, origin) => expect(parseOrigin(text)).toBe(origin));

  it.each([
    '',
    'http://',
    'http:///',
    'http:10.0.0.7',
    '//10.0.0.7',
    'ftp://10.0.0.7',
    'file:///etc/passwd',
    'http://10.0.0.7/path',
    'http://10.0.0.7//',
    'http://10.0.0.7/.',
    'http://10.0.0.7?',
    'http://10.0.0.7/?q',
    'http://10.0.0.7#',
    'http://10.0.0.7/#f',
    'http://user@10.0.0.7',
    'http://user:pass@10.0.0.7',
    'http://@10.0.0.7',
    'http://10.0.0.7\\path',
    'http:\\\\10.0.0.7',
    'http://10.0.0.7\n',
    'http://10.0.\t0.7',
    ' http://10.0.0.7',
    'http://10.0.0.7:99999',
    'http://[::1',
    `http://${'a'.repeat(2048)}`,
  ])('refuses %j', (text) => expect(parseOrigin(text)).toBeUndefined());
});
