import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { HelperPrograms, stateOf } from '../../../../test/fakes/helper-programs.js';
import { CredentialError } from '../credential.source.js';
import { Helper } from './helper.js';

const secret = 'planted-secret-of-the-helper';
const credentials = `echo '{"ServerURL":"host.test","Username":"anna","Secret":"${secret}"}'`;
const never = new AbortController().signal;

let programs: HelperPrograms;
beforeAll(async () => {
  programs = await HelperPrograms.make();
});
afterAll(() => programs[Symbol.asyncDispose]());

/** Asks a helper made of a script. */
async function ask(script: string, { signal = never, limit = 20_000, server = 'host.test:5000' } = {}) {
  await programs.add('test', script);
  return await new Helper('test', limit).get(server, signal);
}

/** The message of the error, which never has the secret. */
async function failure(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CredentialError);
  const { message, stack, cause } = error as CredentialError;
  expect(`${message} ${stack} ${String(cause)}`).not.toContain(secret);
  return message;
}

const isGone = async (note: string) => {
  const pid = await programs.note(note);
  expect(pid).not.toBe('');
  await vi.waitFor(async () => expect([undefined, 'Z', 'X']).toContain(await stateOf(pid)), { timeout: 10_000 });
};

describe('a credential helper', () => {
  it('gets the server on its input and nothing else, and the environment', async () => {
    vi.stubEnv('OCI_REGISTRY_TEST', 'inherited');
    const found = await ask(
      `printf %s "$*" >"$OUT/args"; cat >"$OUT/input"; printf %s "$OCI_REGISTRY_TEST" >"$OUT/env"; ${credentials}`,
    );
    vi.unstubAllEnvs();
    expect(found).toMatchObject({
      username: 'anna',
      kind: 'password',
      identity: 'user anna of docker-credential-test',
    });
    expect(found?.password.reveal()).toBe(secret);
    expect([await programs.note('args'), await programs.note('input'), await programs.note('env')]).toEqual([
      'get',
      'host.test:5000',
      'inherited',
    ]);
  });

  it('can be named by its path', async () => {
    const path = await programs.add('named', credentials);
    expect(await new Helper(path).get('host.test', never)).toMatchObject({ identity: `user anna of ${path}` });
  });

  it('that does not read its input is no failure', async () => {
    for (let run = 0; run < 5; run += 1) {
      expect(await ask(`exec <&-; ${credentials}`, { server: 'x'.repeat(200_000) })).toMatchObject({
        username: 'anna',
      });
    }
  });

  it('may have an identity token', async () => {
    const found = await ask(`echo '{"Username":"<token>","Secret":"${secret}"}'`);
    expect(found).toMatchObject({
      username: '',
      kind: 'identity-token',
      identity: 'identity token of docker-credential-test',
    });
  });

  it('may write fields in any case', async () => {
    expect(await ask(`echo '{"username":"anna","secret":"${secret}"}'`)).toMatchObject({ username: 'anna' });
  });

  it('may write nearly 64 KiB', async () => {
    const found = await ask(`printf '{"Username":"anna","Secret":"'; head -c 65000 /dev/zero | tr '\\0' x; echo '"}'`);
    expect(found?.password.reveal()).toHaveLength(65_000);
  });

  it.each([
    ['has none', 'echo "credentials not found in native keychain"; exit 1'],
    ['gives empty fields', `echo '{"ServerURL":"","Username":"","Secret":""}'`],
  ])('that %s means anonymous access', async (_, script) => {
    expect(await ask(script)).toBeUndefined();
  });

  it.each([
    [
      'fails',
      `echo ${secret}; echo ${secret} >&2; exit 3`,
      /^docker-credential-test failed with exit code 3; its message.* printf %s 'host.test:5000' \| docker-credential-test get$/,
    ],
    [
      'fails with what would be credentials',
      `${credentials}; exit 1`,
      /^docker-credential-test failed with exit code 1/,
    ],
    ['is killed', `${credentials}; kill -9 $$`, /^docker-credential-test was ended by SIGKILL/],
    [
      'misses the server',
      'echo "no credentials server URL"; exit 1',
      /^docker-credential-test was asked for no server: set server$/,
    ],
    ['writes nothing', 'exit 0', /^docker-credential-test wrote something other than a JSON map$/],
    ['writes garbage', `echo ${secret}`, /wrote something other than a JSON map$/],
    ['writes a list', `echo '["${secret}"]'`, /wrote something other than a JSON map$/],
    ['writes more after it', `${credentials}; echo ${secret}`, /wrote something other than a JSON map$/],
    [
      'writes an object as user',
      `echo '{"Username":{"a":"${secret}"},"Secret":"${secret}"}'`,
      /wrote a username that is not text$/,
    ],
    ['writes a user only', `echo '{"Username":"anna","Secret":""}'`, /gave a user without a secret$/],
    [
      'has a line break in it',
      `echo '{"Username":"anna","Secret":"${secret}\\u000a"}'`,
      /gave a user or a secret with control/,
    ],
    [
      'is not UTF-8',
      `printf '{"Username":"anna","Secret":"${secret}\\377"}'`,
      /control characters, or text that is not UTF-8$/,
    ],
    ['has half a character', `echo '{"Username":"anna","Secret":"${secret}\\ud800"}'`, /or text that is not UTF-8$/],
    ['has a user with a colon', `echo '{"Username":"an:na","Secret":"${secret}"}'`, /gave a user with a colon/],
    ['writes too much', `yes ${secret}`, /^docker-credential-test wrote more than 64 KiB$/],
  ])('that %s is an error that has nothing of its output', async (_, script, message) => {
    expect(await failure(ask(script))).toMatch(message);
  });

  it('that takes too long is killed with all that it has started', async () => {
    const script = `echo $$ >"$OUT/slow"; sleep 600 & echo $! >"$OUT/slow-child"; touch "$OUT/slow-up"; wait`;
    const limit = 2_000;
    expect(await failure(ask(script, { limit }))).toBe('docker-credential-test did not respond within 2 s');
    await isGone('slow');
    await isGone('slow-child');
  });

  it('ends with the wait of its caller', async () => {
    const stop = new AbortController();
    const work = failure(ask(`echo $$ >"$OUT/stopped"; exec sleep 600`, { signal: stop.signal }));
    await vi.waitFor(async () => expect(await programs.note('stopped')).not.toBe(''), { timeout: 10_000 });
    stop.abort();
    expect(await work).toContain('did not respond');
    await isGone('stopped');
    expect(await failure(ask('exec sleep 600', { signal: stop.signal }))).toContain('did not respond');
  });

  it('leaves nothing behind that holds its output', async () => {
    expect(await ask(`sleep 600 & echo $! >"$OUT/left"; ${credentials}`)).toMatchObject({ username: 'anna' });
    await isGone('left');
  });

  it('is not waited for when a program in another process group holds its output', async () => {
    const found = await ask(`setsid sleep 600 & echo $! >"$OUT/apart"; ${credentials}; sleep 0.2`);
    expect(found).toMatchObject({ username: 'anna' });
    process.kill(Number(await programs.note('apart')), 'SIGKILL');
  });

  it('runs beside at most three others, and the wait for its turn counts', async () => {
    await programs.add('turn', `echo start >>"$OUT/turns"; sleep 0.2; echo end >>"$OUT/turns"; ${credentials}`);
    await Promise.all(Array.from({ length: 9 }, () => new Helper('turn').get('host.test', never)));
    const lines = (await programs.note('turns')).trim().split('\n');
    let running = 0;
    const counts = lines.map((line) => (running += line === 'start' ? 1 : -1));
    expect(counts).toHaveLength(18);
    expect(Math.max(...counts)).toBeLessThanOrEqual(4);

    await programs.add('stuck', 'exec sleep 600');
    const stop = new AbortController();
    const stuck = Array.from({ length: 4 }, () => failure(new Helper('stuck').get('host.test', stop.signal)));
    await sleep(10);
    expect(await failure(new Helper('turn', 200).get('host.test', never))).toContain('did not respond within 0.2 s');
    stop.abort();
    await Promise.all(stuck);
    expect(await new Helper('turn').get('host.test', never)).toMatchObject({ username: 'anna' });
  });

  it('leaves no zombie', async () => {
    const stats = (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''));
    const own = (await Promise.all(stats)).filter((stat) => stat.includes(`) Z ${process.pid} `));
    expect(own).toEqual([]);
  });
});

describe('a credential helper that cannot be started', () => {
  const get = (name: string) => failure(new Helper(name).get('host.test', never));

  it('says what to install, and that the image has none', async () => {
    expect(await get('absent')).toBe(
      'docker-credential-absent is not in PATH, or the interpreter that it needs is missing; install it (the container image has no helpers)',
    );
    expect(await get('ecr-login')).toMatch(
      /install the Amazon ECR credential helper, or use the source ecr, .* \(the container image has no helpers\)$/,
    );
    const path = join(programs.folder, 'bin/docker-credential-gcloud');
    expect(await get(path)).toMatch(
      /^\/.*docker-credential-gcloud does not exist; install the Google Cloud CLI, or use the source google/,
    );
  });

  it('says so when it is there', async () => {
    expect(await get(await programs.add('closed', credentials, '/bin/sh', 0o644))).toMatch(
      /cannot be started: it is not executable/,
    );
    expect(await get(await programs.add('strange', credentials, '/no/such/shell'))).toMatch(
      /the interpreter or the loader that it needs is missing$/,
    );
    expect(await get(programs.folder)).toMatch(/cannot be started: it is not executable/);
  });
});
