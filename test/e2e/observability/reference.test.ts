import { readFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { metricsReference } from '../../../scripts/metrics-reference.js';
import { DockerConfigSettings } from '../../../src/config/credentials/docker-config.settings.js';
import { makeImage } from '../../fixtures/images.js';
import { Scrape } from '../support/metrics.js';
import { Stage } from '../support/stage.js';

/** A scrape of a mirror that has something to say of every metric. */
async function fullScrape(): Promise<Scrape> {
  // Credentials that may change.
  const source = { kind: 'docker_config', options: new DockerConfigSettings(), repositories: [] } as const;
  await using stage = await Stage.start({
    registry: { rateLimit: { limit: 100, remaining: 76, window: 21_600 } },
    server: { maxSize: 1e9 },
    upstream: { credentialSources: [source] },
    hosted: [{ namespace: 'local', maxSize: 1e9 }],
    access: "rules: [{ repositories: ['**'], who: [anonymous], may: [pull] }]",
    // Nobody is there to take its events.
    webhooks: "- { name: ci, url: 'http://127.0.0.1:1', events: [push] }",
  });
  const image = makeImage();
  stage.registry.addImage('team/app', image, ['1']);
  await stage.get('team/app/manifests/1');
  return await Scrape.of(stage.mirror.url);
}

/** Names of metrics as PromQL uses them: what is followed by no parenthesis, outside of strings and label matchers. */
function namesIn(expression: string): string[] {
  return [...expression.matchAll(/\b((?:oci_registry|process|nodejs|manifest|blob)_[a-z0-9_]+)\b/g)].map(
    ([, name]) => name!,
  );
}

describe('docs/metrics.md', () => {
  it('says what the metrics say of themselves (npm run docs)', async () => {
    const file = 'docs/metrics.md';
    const expected = await format(metricsReference(), { ...(await resolveConfig(file)), filepath: file });
    expect(await readFile(file, 'utf8')).toBe(expected);
  });

  it('lists what /metrics answers, with the same types, labels and meanings, and nothing else', async () => {
    const scrape = await fullScrape();
    const rows = (await readFile('docs/metrics.md', 'utf8')).split('\n').filter((line) => /^\| `\w+` +\|/.test(line));
    const documented = rows.map((row) => {
      const [name, type, labels, help] = row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return { name: name!.replaceAll('`', ''), type, labels: labels!.replaceAll('`', ''), help };
    });
    const responded = [...scrape.metrics].map(([name, { type, help }]) => {
      const series = scrape.series.find((one) => one.replace(/_bucket\{/, '{').split('{')[0] === name);
      const labels = [...(series ?? '').matchAll(/(\w+)="/g)]
        .map(([, label]) => label)
        .filter((label) => label !== 'le');
      return { name, type, labels: labels.join(' '), help };
    });
    expect(responded).toEqual(documented);
  });
});

describe('what is in contrib', () => {
  it.each([
    'contrib/prometheus/alerts.yaml',
    'contrib/prometheus/alerts.test.yaml',
    'contrib/grafana/oci-registry.json',
  ])('uses only metrics that there are: %s', async (file) => {
    const scrape = await fullScrape();
    const known = new Set([...scrape.metrics.keys(), ...scrape.series.map((series) => series.split('{')[0]!)]);
    const used = namesIn(await readFile(file, 'utf8'));
    expect(used.length).toBeGreaterThan(10);
    expect(used.filter((name) => !known.has(name))).toEqual([]);
  });

  it('shows every metric on the dashboard, or in an alert, but for what only tells when the process began', async () => {
    const text = await readFile('contrib/grafana/oci-registry.json', 'utf8');
    const shown = new Set(namesIn(text).map((name) => name.replace(/_bucket$/, '')));
    const missing = [...(await fullScrape()).metrics.keys()].filter((name) => !shown.has(name));
    expect(missing).toEqual([
      'oci_registry_sweep_removed_objects_total',
      'oci_registry_scrub_checked_objects_total',
      'process_start_time_seconds',
    ]);
  });
});
