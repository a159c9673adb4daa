import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sourceSettings, type SourceKind } from '../../src/config/credentials/credential.settings.js';
import { HostedSettings } from '../../src/config/hosted/hosted.settings.js';
import { EndpointSettings, UpstreamSettings } from '../../src/config/upstream.settings.js';
import { settingsOf } from '../../src/config/validation/setting.decorator.js';

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
}
const { $defs: definitions } = JSON.parse(readFileSync('charts/oci-registry/values.schema.json', 'utf8')) as {
  readonly $defs: Readonly<Record<string, Node>>;
};

type SettingsClass = Parameters<typeof settingsOf>[0];
const keysOf = (node: Node | undefined) => Object.keys(node?.properties ?? {}).sort();
const namesOf = (type: SettingsClass) =>
  settingsOf(type)
    .flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]))
    .sort();

describe('the schema of the chart has the keys that the program has', () => {
  const { upstream, hosted, credentialEntry } = definitions;

  it('for registries, fallback hosts and hosted namespaces', () => {
    expect(keysOf(upstream)).toEqual(namesOf(UpstreamSettings));
    expect(keysOf(upstream?.properties?.fallback_hosts?.items)).toEqual(namesOf(EndpointSettings));
    expect(keysOf(hosted)).toEqual(namesOf(HostedSettings));
  });

  it.each(Object.keys(sourceSettings) as SourceKind[])('for the source of credentials %s', (kind) => {
    expect(keysOf(credentialEntry?.properties?.[kind])).toEqual(namesOf(sourceSettings[kind]));
  });

  it('for entries of credentials', () => {
    expect(keysOf(credentialEntry)).toEqual([...Object.keys(sourceSettings), 'repositories'].sort());
  });
});
