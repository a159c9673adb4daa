import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../../src/config/values/secret.js';
import { request } from '../../fakes/request.js';
import { token } from '../admin/support.js';
import { writeKeyPair } from '../support/key-pair.js';
import { build, Program } from '../support/program.js';
import { Scrape } from '../support/metrics.js';
import { until } from '../support/until.js';
import { entry, manifestPath, Scene } from './support/scene.js';

interface Report {
  readonly result: string;
  readonly files: string[];
  readonly changes: string[];
  readonly problems: string[];
  readonly others: string[];
  readonly workers?: number;
}

const headers = { authorization: `Bearer ${token}` };

async function reload(url: string, method = 'POST'): Promise<{ status: number; report: Report }> {
  const { status, body } = await request(`${url}/_admin/reload`, { method, headers });
  return { status, report: JSON.parse(body.toString()) as Report };
}

const said = ({ log }: Program) => log.map(({ msg }) => String(msg)).filter((line) => line.includes('SIGHUP'));

describe('POST /_admin/reload', () => {
  it('reads the files at once, reports names of entries and keys, and is for administrators', async () => {
    await using scene = await Scene.make();
    const one = await scene.registry();
    const secret = { adminToken: new Secret(token) };
    const mirror = await scene.start(entry('one.test', one), { server: secret });
    // As for any path that does not exist.
    expect((await mirror.request.post('/_admin/reload')).status).toBe(405);
    await scene.replace('upstreams.yaml', entry('one.test', one, 'tag_ttl: 7s') + entry('two.test', one));
    const first = await reload(mirror.url);
    expect(first).toMatchObject({
      status: 200,
      report: {
        result: 'applied',
        files: [scene.upstreamFile],
        changes: ['one.test changed (tag_ttl)', 'two.test added'],
        problems: [],
        others: ['there is no certificate to read again'],
      },
    });
    expect(await scene.statusOf(manifestPath('two.test'))).toBe(200);
    await scene.replace('upstreams.yaml', '- namespace: planted!\n');
    const second = await reload(mirror.url);
    expect(second).toMatchObject({ status: 409, report: { result: 'rejected', changes: [] } });
    expect(second.report.problems[0]).toMatch(/^upstreams\[0\]\.namespace: .*upstreams\.yaml, line 1/);
    const last = Object.fromEntries(Object.entries(second.report).filter(([key]) => key !== 'others'));
    const { status, report } = await reload(mirror.url, 'GET');
    expect([status, report]).toMatchObject([200, { rejected: { problems: second.report.problems }, last }]);
    const { body } = await request(`${mirror.url}/_admin/status`, { headers });
    expect(JSON.parse(body.toString())).toMatchObject({
      configuration: { rejected: { problems: second.report.problems } },
    });
    expect(JSON.stringify(report) + mirror.log).not.toContain('planted!');
    expect(await scene.statusOf(manifestPath('two.test'))).toBe(200);
  });
});

describe('the program', { timeout: 60_000 }, () => {
  beforeAll(build, 180_000);

  it('reads everything at SIGHUP, and says what it has read', async () => {
    await using scene = await Scene.make();
    const one = await scene.registry();
    const pair = await writeKeyPair(scene.folder);
    await writeFile(scene.upstreamFile, entry('one.test', one));
    await writeFile(scene.folder.file('credentials.json'), '{}');
    const flags = ['--upstream-config-file', 'upstreams.yaml', '--upstream-credentials-file', 'credentials.json'];
    const args = ['--listen', '127.0.0.1:0', ...flags, ...pair.flags, 'filesystem', '--root', 'data'];
    await using program = await Program.start(args, { cwd: scene.folder.path });
    await scene.replace('upstreams.yaml', entry('one.test', one, 'tag_ttl: 5s'));
    program.kill('SIGHUP');
    await until('it says what it has read', () => said(program).length === 2, 15_000);
    expect(said(program)[0]).toBe('SIGHUP: the certificate was read again and is unchanged');
    // The look of each second may have been faster.
    expect(said(program)[1]).toMatch(
      /^SIGHUP: the configuration was read again from upstreams\.yaml, credentials\.json: (one\.test changed \(tag_ttl\)|nothing is different)$/,
    );
    await scene.replace('credentials.json', '{"one.test": 7}');
    program.kill('SIGHUP');
    await until('it says that there is a mistake', () => said(program).length === 4, 15_000);
    expect(said(program)[3]).toMatch(/^SIGHUP: files of the configuration have mistakes, what was read before stays: /);
  });

  it('has all of its workers read their files when one is asked', async () => {
    await using scene = await Scene.make();
    const one = await scene.registry();
    await writeFile(scene.upstreamFile, entry('one.test', one));
    const flags = ['--upstream-config-file', 'upstreams.yaml', '--unknown-namespaces', 'deny'];
    const args = ['--listen', '127.0.0.1:0', '--workers', '2', ...flags, 'filesystem', '--root', 'data'];
    await using program = await Program.start(args, { cwd: scene.folder.path, env: { ADMIN_TOKEN: token } });
    const listening = () => program.log.filter(({ msg }) => String(msg).startsWith('listening')).length;
    await until('both listen', () => listening() === 2, 30_000);
    await scene.replace('upstreams.yaml', entry('one.test', one) + entry('two.test', one));
    const { status, report } = await reload(program.url);
    expect([status, report.workers]).toEqual([200, 1]);
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => (await request(`${program.url}${manifestPath('two.test')}`)).status),
    );
    expect([...new Set(statuses)]).toEqual([200]);
    const applied = program.log.filter(({ msg }) => String(msg).includes('two.test added'));
    expect(new Set(applied.map(({ worker }) => worker)).size).toBe(2);
    expect((await Scrape.of(program.url)).get('oci_registry_reload_rejected')).toBe(0);
    program.kill('SIGTERM');
    expect(await program.end).toEqual({ code: 0, signal: null });
  });
});
