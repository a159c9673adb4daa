import { beforeAll, describe, expect, it } from 'vitest';
import { makeBlob } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';
import { until } from '../support/until.js';
import { Conversation } from './support/conversation.js';
import { withQuery } from './support/hosting.js';

beforeAll(build, 180_000);

const app = '/v2/local/app';
const blob = makeBlob(200_000, 'draining');
const half = blob.body.subarray(0, 100_000);

function start(folder: Folder, ...more: string[]): Promise<Program> {
  const pushing = ['--hosted-namespace', 'local', '--allow-anonymous-push'];
  return Program.start(['--listen', '127.0.0.1:0', ...pushing, ...more, 'filesystem', '--root', folder.path]);
}

/** Begins a chunk and sends half of it. @returns where it goes */
async function beginChunk(client: Conversation): Promise<string> {
  const { headers } = await client.ask('POST', `${app}/blobs/uploads/`, { body: '' });
  client.say(`PATCH ${headers.location!} HTTP/1.1\r\nhost: m\r\ncontent-length: ${blob.body.length}\r\n\r\n`);
  client.say(half);
  return headers.location!;
}

const isDraining = (program: Program) => program.log.some(({ msg }) => String(msg).startsWith('SIGTERM received'));

describe('a push while the program ends', { timeout: 60_000 }, () => {
  it('is finished, and the connection ends with it', async () => {
    await using folder = await Folder.make();
    await using program = await start(folder);
    await using client = await Conversation.open(program.url);
    await beginChunk(client);
    program.kill('SIGTERM');
    await until('it drains', () => isDraining(program));
    client.say(blob.body.subarray(100_000));
    expect(await client.hear()).toMatchObject({ status: 202, headers: { range: '0-199999', connection: 'close' } });
    await client.ended();
    expect(await program.end).toEqual({ code: 0, signal: null });
  });

  it('is cut after --drain-timeout, and goes on with the next program', async () => {
    await using folder = await Folder.make();
    await using first = await start(folder, '--drain-timeout', '1s');
    await using client = await Conversation.open(first.url);
    const location = await beginChunk(client);
    first.kill('SIGTERM');
    await client.ended();
    expect(await first.end).toEqual({ code: 0, signal: null });
    await using second = await start(folder);
    await using again = await Conversation.open(second.url);
    const { status, headers } = await again.ask('GET', location);
    expect(status).toBe(204);
    const size = headers.range === '0-0' ? 0 : Number(headers.range!.split('-')[1]) + 1;
    const rest = { body: blob.body.subarray(size) };
    expect((await again.ask('PUT', withQuery(headers.location!, `digest=${blob.digest}`), rest)).status).toBe(201);
    expect((await again.ask('GET', `${app}/blobs/${blob.digest}`)).body.equals(blob.body)).toBe(true);
  });
});

describe('sessions without a byte when the program is killed', { timeout: 60_000 }, () => {
  it('go on with the next program, for the repository that has them', async () => {
    await using folder = await Folder.make();
    await using first = await start(folder);
    await using client = await Conversation.open(first.url);
    const begin = async () => (await client.ask('POST', `${app}/blobs/uploads/`, { body: '' })).headers.location!;
    const [put, patch, get, cancelled] = [await begin(), await begin(), await begin(), await begin()];
    first.kill('SIGKILL');
    await first.end;
    await using second = await start(folder);
    await using again = await Conversation.open(second.url);
    const final = (location: string) => withQuery(location, `digest=${blob.digest}`);
    expect((await again.ask('PUT', final(put.replace('/app/', '/other/')), blob)).status).toBe(404);
    expect((await again.ask('PUT', final(put), { body: blob.body })).status).toBe(201);
    // Repeated, as after a lost response.
    expect((await again.ask('PUT', final(put), { body: blob.body })).status).toBe(201);
    const patched = await again.ask('PATCH', patch, { body: half });
    expect(patched).toMatchObject({ status: 202, headers: { range: '0-99999' } });
    const rest = { body: blob.body.subarray(half.length) };
    expect((await again.ask('PUT', final(patched.headers.location!), rest)).status).toBe(201);
    expect(await again.ask('GET', get)).toMatchObject({ status: 204, headers: { range: '0-0' } });
    for (const status of [204, 404]) expect((await again.ask('DELETE', cancelled)).status).toBe(status);
    expect((await again.ask('GET', cancelled)).status).toBe(404);
  });
});
