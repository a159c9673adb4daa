import { expect, it } from 'vitest';
import { clientName } from './client-name.js';

it.each([
  ['local/team/app', 'mirror:8080', 'local/team/app'],
  ['registry.example.com/team/app', 'registry.example.com', 'team/app'],
  ['registry.example.com/team/app', 'Registry.Example.com:443', 'team/app'],
  ['registry.example.com:5000/app', 'registry.example.com:5000', 'app'],
  ['registry.example.com/app', 'registry.example.com:5000', 'registry.example.com/app'],
  ['local/app', undefined, 'local/app'],
  ['local/app', 'not a host', 'local/app'],
])('%s at %s is %s', (repository, host, name) => expect(clientName(repository, host)).toBe(name));
