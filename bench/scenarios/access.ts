import { hash } from 'bcryptjs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestMediaType } from '../content/image.js';
import { pull, type PullJob } from '../load/pull.js';
import { runWrk } from '../load/wrk.js';
import { duringAttack } from '../load/wrong-passwords.js';
import { mirrorNamespace, serveMirror } from '../peers/mirror.peer.js';
import type { Server } from '../processes/server.js';
import type { Scope } from '../scope.js';
import type { Scenario } from './scenario.js';
import { complaints } from './stored/warm-load.js';

const connections = 32;
const attempts = { perSecond: 1_000, addresses: 50 };
const basic = `Basic ${Buffer.from('anna:secret').toString('base64')}`;

/** The same stored manifest from a server without access control and from one with it. */
export const access: Scenario = {
  name: 'access',
  title: `one stored manifest by digest, ${connections} connections, without and with access control`,
  byDefault: false,
  peers: ['mirror'],
  metrics: [
    { key: 'open', label: 'no access file: requests per second', better: 'more' },
    { key: 'bearer', label: 'Bearer, times that', better: 'more', bound: { limit: 0.8, over: 'median' } },
    { key: 'basic', label: 'Basic, times that', better: 'more', bound: { limit: 0.6, over: 'median' } },
    { key: 'attempts', label: 'wrong passwords per second', better: 'more' },
    { key: 'p99', label: 'beside them: p99 of 8 signed in, ms', better: 'less', bound: { limit: 50, over: 'worst' } },
  ],
  async open({ scope, library, source, seconds, folder }) {
    const { digest, bytes } = (await library.image()).manifest;
    const guarded = await startGuarded(scope, join(folder, 'guarded'), process.execPath, source);
    const job = { size: bytes.length, digest, accept: manifestMediaType };
    const path = `v2/${mirrorNamespace}/${library.repository}/manifests/${digest}`;
    return {
      upstream: source,
      measure: async (peer, inner) => {
        const [open, closed] = [peer.server, guarded].map(({ origin }) => ({ ...job, url: `${origin}/${path}` }));
        if (!open || !closed) throw new Error('there are two servers');
        const bearer = `Bearer ${await tokenOf(guarded, `repository:${mirrorNamespace}/${library.repository}:pull`)}`;
        const jobs: PullJob[] = [open, { ...closed, authorization: basic }];
        const failures = (await Promise.all(jobs.map((each) => pull(each)))).flatMap((pulled) =>
          complaints('before', pulled),
        );
        const run = async (of: typeof open, authorization?: string) => {
          const report = await runWrk(inner, { ...of, connections, seconds, ...(authorization && { authorization }) });
          failures.push(...report.failures);
          return report.requests / report.seconds;
        };
        const without = await run(open);
        const [withBearer, withBasic] = [await run(closed, bearer), await run(closed, basic)];
        const { result, report } = await duringAttack({ url: `${guarded.origin}/v2/`, ...attempts }, () =>
          runWrk(inner, { ...closed, connections: 8, seconds, authorization: bearer }),
        );
        failures.push(...result.failures, ...report.failures);
        return {
          values: {
            open: without,
            bearer: withBearer / without,
            basic: withBasic / without,
            attempts: report.perSecond,
            p99: result.p99Millis,
          },
          failures,
        };
      },
    };
  },
};

/** A server whose content needs the password of `anna`. */
async function startGuarded(scope: Scope, folder: string, node: string, upstream: string): Promise<Server> {
  await mkdir(folder);
  const users = join(folder, 'htpasswd');
  const rules = join(folder, 'access.yaml');
  await writeFile(users, `anna:${await hash('secret', 10)}\n`);
  await writeFile(
    rules,
    `users_file: ${users}\nrules:\n  - { repositories: ['${mirrorNamespace}/**'], who: ['user:anna'], may: [pull] }\n`,
  );
  const upstreams = `- namespace: ${mirrorNamespace}\n  host: ${new URL(upstream).host}\n  tls: false\n`;
  const options = () => ['--access-file', rules];
  return serveMirror(scope, { folder, content: join(folder, 'content'), node, upstreams, options });
}

async function tokenOf({ origin }: Server, scope: string): Promise<string> {
  const response = await fetch(`${origin}/token?scope=${scope}`, { headers: { authorization: basic } });
  return ((await response.json()) as { token: string }).token;
}
