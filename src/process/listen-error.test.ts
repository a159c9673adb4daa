import 'reflect-metadata';
import { describe, expect, it } from 'vitest';
import { listenError } from './listen-error.js';

describe('an address that cannot be listened on', () => {
  it.each([
    ['EADDRINUSE', 'another program listens there'],
    ['EACCES', 'ports below 1024'],
    ['EADDRNOTAVAIL', 'no such address'],
    ['EAFNOSUPPORT', 'no addresses of this kind'],
    ['ENOTFOUND', 'does not exist'],
    ['EAI_AGAIN', 'cannot be resolved now'],
    ['ENOENT', 'directory of the socket'],
    ['EPERM', 'set another address'],
  ])('is told with what can be done, and with the option: %s', (code, advice) => {
    const { message } = listenError('listen', ':80', code);
    expect(message).toMatch(/^cannot listen on :80: E[A-Z_]+: .* with --listen \(LISTEN\)$/);
    expect(message).toContain(`${code}: `);
    expect(message).toContain(advice);
    const socket = listenError('listen', 'unix:/no/socket', 'EACCES').message;
    expect(socket).toContain('the directory of the socket does not exist, or');
    expect(listenError('admin-listen', ':80', code).message).toMatch(/with --admin-listen \(ADMIN_LISTEN\)$/);
  });
});
