import { describe, expect, it } from 'vitest';
import { reasonAgainst } from './browser-origin.js';

describe('reasonAgainst', () => {
  it.each([
    [{ host: '127.0.0.1:8081' }],
    [{ host: 'localhost:8081' }],
    [{ host: 'LOCALHOST' }],
    [{ host: '[::1]:8081' }],
    [{ host: '10.0.0.7:8081' }],
    [{ host: 'mirror.internal:8081' }],
    [{ host: 'localhost:8081', origin: 'http://localhost:8081' }],
    [{ host: 'localhost:8081', 'sec-fetch-site': 'same-origin' }],
    [{ host: 'localhost:8081', 'sec-fetch-site': 'none' }],
  ])('has nothing against %j', (headers) => {
    expect(reasonAgainst(headers, 'mirror.internal')).toBeUndefined();
  });

  it.each([
    [{}],
    [{ host: '' }],
    [{ host: 'evil.example:8081' }],
    [{ host: '127.0.0.1.evil.example' }],
    [{ host: 'localhost.evil.example:8081' }],
    [{ host: 'evil.example:80@localhost' }],
    [{ host: '[localhost:8081' }],
    [{ host: 'localhost:8081', origin: 'http://evil.example' }],
    [{ host: 'localhost:8081', origin: 'http://localhost:3000' }],
    [{ host: 'localhost:8081', origin: 'https://localhost:8081' }],
    [{ host: 'localhost:8081', origin: 'null' }],
    [{ host: 'localhost:8081', origin: '' }],
    [{ host: 'localhost:8081', 'sec-fetch-site': 'cross-site' }],
    [{ host: 'localhost:8081', 'sec-fetch-site': 'same-site' }],
  ])('refuses %j', (headers) => {
    expect(reasonAgainst(headers, 'mirror.internal')).toBeDefined();
  });
});
