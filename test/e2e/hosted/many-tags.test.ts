import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Tag } from '../../../src/oci/reference.js';
import { keys } from '../../../src/storage/keys.js';
import { app, HostedRegistry } from './support/registry.js';

const count = 100_000;

it('lists the pages of 100,000 tags within 50 ms each', async () => {
  await using registry = await HostedRegistry.start({}, { server: { sweepInterval: 0 } });
  await registry.pushImage('latest');
  const folder = join(registry.mirror.root, keys.hostedTags(app));
  await mkdir(folder, { recursive: true });
  const names = Array.from({ length: count - 1 }, (_, at) => `Build_${(at * 7919) % count}-a`);
  for (let done = 0; done < names.length; done += 500)
    await Promise.all(
      names.slice(done, done + 500).map((name) => {
        const key = keys.hostedTag(app, Tag.parse(name));
        return writeFile(join(registry.mirror.root, key), '');
      }),
    );
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const times: number[] = [];
  const seen: string[] = [];
  let query: string | undefined = 'n=1000';
  while (query !== undefined) {
    const start = performance.now();
    const page = await registry.listTags(query);
    times.push(performance.now() - start);
    seen.push(...page.tags);
    query = page.next;
  }
  expect(seen).toEqual([...names, 'latest'].sort());
  // The first reads the folder.
  const others = times.slice(1).sort((one, other) => one - other);
  expect(others[Math.floor(others.length / 2)]).toBeLessThan(50);
}, 120_000);
