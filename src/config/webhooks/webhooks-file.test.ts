import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../configuration-error.js';
import { readWebhooks } from './webhooks-file.js';

const files: Readonly<Record<string, string>> = {
  token: 'planted-in-file\n',
  lines: 'planted\nplanted\n',
  'ca.pem': '-----BEGIN CERTIFICATE-----\n',
};
const read = (yaml: string) => readWebhooks(yaml, (file) => files[file] ?? '');

function problemsOf(yaml: string): string[] {
  try {
    read(yaml);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    expect(error.message).not.toContain('planted');
    return error.problems.map(({ path, kind, reason }) => `${path}: ${kind}: ${reason}`);
  }
}

describe('the webhooks file', () => {
  it('lists webhooks, with sensible defaults', () => {
    const [ci, audit] = read(`
- name: ci
  url: https://ci.example.com/hooks/registry?key=1
  repositories: local/team/**, registry.example.com/*
  headers: { X-Key: planted }
  token_file: token
  ca_file: ca.pem
- { name: audit, url: 'http://10.0.0.7:8080/', format: cloudevents, events: [push, pull], timeout: 2s, max_queue_size: 1MiB }
`);
    expect(ci).toMatchObject({
      format: 'distribution',
      events: ['push', 'delete', 'mount', 'evict'],
      repositories: ['local/team/**', 'registry.example.com/*'],
      timeout: 10_000,
      retryFor: 86_400_000,
      maxQueuedEvents: 10_000,
      maxQueueSize: 64 * 2 ** 20,
      certificateAuthorities: '-----BEGIN CERTIFICATE-----\n',
    });
    expect(ci?.token?.reveal()).toBe('planted-in-file');
    expect(ci?.headers['x-key']?.reveal()).toBe('planted');
    expect(inspect(ci, { depth: 5 }) + JSON.stringify(ci)).not.toContain('planted');
    expect(audit).toMatchObject({
      format: 'cloudevents',
      events: ['push', 'pull'],
      timeout: 2_000,
      repositories: ['**'],
    });
    expect(read('')).toEqual([]);
  });

  it('has all its mistakes reported at once, without their values', () => {
    expect(
      problemsOf(`
- { name: CI, url: 'ftp://planted' }
- { name: a, url: 'https://user:planted@example.com' , format: planted, events: [push, planted], repositories: planted }
- { name: a, url: 'https://a.b', headers: { Host: planted }, token: 5, timeout: 1h, retry_for: 90d, max_queued_events: 0 }
- { name: b, url: 'https://a.b', headers: { Authorization: planted }, token: planted, urls: planted }
- { name: c, url: 'https://a.b', token: planted, token_file: token }
- { name: d, url: 'https://a.b', token_file: lines, ca_file: none }
- { name: e, url: 'https://a.b', token: 'two planted', repositories: ['local/{user}/*'], headers: { "X Y": planted } }
- planted
`),
    ).toEqual([
      'webhooks[7]: text: must be a map with name and url',
      'webhooks[0].name: text: must be up to 64 lower-case letters, digits and dashes',
      'webhooks[0].url: text: must be an http or https URL without credentials and fragment',
      'webhooks[1].url: text: must be an http or https URL without credentials and fragment',
      'webhooks[1].format: text: must be one of distribution, cloudevents',
      'webhooks[1].events: a list: the 2nd must be one of push, pull, delete, mount, evict',
      'webhooks[1].repositories: text: the 1st must be a namespace and a name, such as docker.io/** or local/team/app',
      'webhooks[2].headers: a map: must be a map from names to values; those that every request has, such as Host and Content-Type, are set already',
      'webhooks[2].token: a number: must be a token without spaces and control characters',
      'webhooks[2].timeout: text: must be a duration from 100ms to 5m',
      'webhooks[2].retry_for: text: must be a duration up to 30d',
      'webhooks[2].max_queued_events: a number: must be a whole number from 1 to 100000',
      'webhooks[3].urls: text: is not a known setting; did you mean url?',
      'webhooks[3].token: text: cannot be combined with the header Authorization',
      'webhooks[4].token_file: text: cannot be combined with token',
      'webhooks[5].token_file: text: must be a file with one line of text',
      'webhooks[5].ca_file: a file: contains no PEM certificate',
      'webhooks[6].repositories: a list: the 1st must have no placeholder',
      'webhooks[6].headers: a map: must be a map from names to values; those that every request has, such as Host and Content-Type, are set already',
      'webhooks[6].token: text: must be a token without spaces and control characters',
      'webhooks[2].name: text: repeats webhooks[1]',
    ]);
  });

  it.each([
    ['name: ci', 'webhooks: a map: must be one YAML list of at most 32 webhooks'],
    ['- {name: [}', 'webhooks: text: is not valid YAML: '],
  ])('that is no list is a mistake: %s', (yaml, expected) => {
    expect(problemsOf(yaml)[0]).toContain(expected);
  });
});
