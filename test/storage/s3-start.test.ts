import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../e2e/support/folder.js';
import { build, Program } from '../e2e/support/program.js';
import { freePort } from './support/child.js';
import { FaultyProxy } from './support/faulty-proxy.js';
import { accessKey, secretKey, type Bucket } from './support/s3-server.js';
import { VersityGateway } from './support/versitygw.js';

let server: VersityGateway;
let bucket: Bucket;

beforeAll(async () => {
  await build();
  server = await VersityGateway.start();
  bucket = await server.makeBucket();
}, 180_000);
afterAll(async () => {
  bucket.close();
  await server[Symbol.asyncDispose]();
});

/** Starts the program as a person would, and expects it to end with one line that says what is wrong. */
async function refusal(changes: Record<string, string>): Promise<string> {
  const env = {
    S3_HOST: server.url,
    S3_BUCKET: bucket.name,
    S3_ACCESS_KEY: accessKey,
    S3_SECRET_KEY: secretKey,
    ...changes,
  };
  const { code, stdout, stderr } = await Program.run(['--listen', '127.0.0.1:0', 's3'], { env });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).not.toContain('planted');
  expect(stderr.endsWith('\n')).toBe(true);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  return stderr.trimEnd();
}

describe('the program on a bucket that it cannot use', () => {
  it('says that there is no such bucket', async () => {
    expect(await refusal({ S3_BUCKET: 'absent-bucket' })).toMatch(
      /^cannot list the bucket absent-bucket: 127\.0\.0\.1:\d+ has no such bucket \(NoSuchBucket\)$/,
    );
  });

  it('says that the access key is unknown', async () => {
    expect(await refusal({ S3_ACCESS_KEY: 'nobody' })).toMatch(/does not know the access key \(\w+\)$/);
  });

  it('says that the secret is another, without saying which', async () => {
    expect(await refusal({ S3_SECRET_KEY: 'planted-other' })).toMatch(
      /the secret key does not match the access key \(SignatureDoesNotMatch\)$/,
    );
  });

  it('says that the region is another', async () => {
    expect(await refusal({ S3_REGION: 'eu-central-1' })).toMatch(
      /it is in another region than eu-central-1 \(AuthorizationHeaderMalformed\)$/,
    );
  });

  it('says that the server cannot be reached', async () => {
    const port = await freePort();
    expect(await refusal({ S3_HOST: `http://127.0.0.1:${port}` })).toBe(
      `cannot list the bucket ${bucket.name}: 127.0.0.1:${port} cannot be reached (ECONNREFUSED)`,
    );
    expect(await refusal({ S3_HOST: 'http://s3.invalid' })).toMatch(/s3\.invalid cannot be reached \(E\w+\)$/);
  });

  it('says that an address is none that it can use, and asks nobody', async () => {
    for (const host of ['ftp://127.0.0.1', `${server.url}/?list-type=2`])
      expect(await refusal({ S3_HOST: host })).toMatch(/^S3_HOST: must be an http or https URL/);
  });

  it('says that half of the credentials is missing', async () => {
    expect(await refusal({ S3_SECRET_KEY: '' })).toBe('S3_ACCESS_KEY: must be set together with --secret-key');
    const { stderr, code } = await Program.run(['s3', '--bucket', bucket.name, '--access-key', accessKey]);
    expect({ stderr, code }).toEqual({
      code: 2,
      stderr: 's3 --access-key: must be set together with --secret-key\n',
    });
    const other = await Program.run(['s3', '--bucket', bucket.name], { env: { S3_SECRET_KEY: secretKey } });
    expect(other).toMatchObject({
      code: 2,
      stderr: 'S3_SECRET_KEY: must be set together with --access-key\n',
    });
  });

  it('says that it may not write, and that it may not delete', async () => {
    await using proxy = await FaultyProxy.start(server.url);
    proxy.fate = (line) => (line.startsWith('PUT') ? 403 : 'pass');
    expect(await refusal({ S3_HOST: proxy.url })).toMatch(
      /^cannot write to .* the access key does not have permission \(AccessDenied\)$/,
    );
    proxy.fate = (line) => (line.startsWith('DELETE') ? 403 : 'pass');
    expect(await refusal({ S3_HOST: proxy.url })).toMatch(
      /^cannot delete from .* the access key does not have permission \(AccessDenied\)$/,
    );
  });
});

describe('the program without a key of its own', () => {
  /** Nothing of the machine that runs the tests is asked. */
  const bare = () => ({ S3_HOST: server.url, S3_BUCKET: bucket.name, AWS_EC2_METADATA_DISABLED: 'true' });

  async function starts(env: Record<string, string>): Promise<void> {
    await using program = await Program.start(['--listen', '127.0.0.1:0', 's3'], { env: { ...bare(), ...env } });
    expect((await fetch(`${program.url}/readyz`)).status).toBe(200);
    expect(program.stdout + program.stderr).not.toContain('planted');
  }

  it("takes that of Amazon's variables", () =>
    starts({ AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey }));

  it('takes that of a profile in a shared file', async () => {
    await using folder = await Folder.make();
    const lines = ['[other]', 'aws_access_key_id = nobody', 'aws_secret_access_key = nothing', '[mirror]'];
    lines.push(`aws_access_key_id = ${accessKey}`, `aws_secret_access_key = ${secretKey}`, '');
    await writeFile(folder.file('credentials'), lines.join('\n'));
    await starts({ AWS_SHARED_CREDENTIALS_FILE: folder.file('credentials'), AWS_PROFILE: 'mirror' });
  });

  it('takes region and endpoint of its variables and profiles, and prefers its own settings to them', async () => {
    await using folder = await Folder.make();
    await writeFile(
      folder.file('config'),
      [
        '[profile mirror]',
        'region = eu-central-1',
        `endpoint_url = ${server.url}`,
        `aws_access_key_id = ${accessKey}`,
        `aws_secret_access_key = ${secretKey}`,
        '',
      ].join('\n'),
    );
    const env = { S3_BUCKET: bucket.name, AWS_EC2_METADATA_DISABLED: 'true' };
    const doctor = async (changes: Record<string, string>) => {
      const { stdout, stderr } = await Program.run(['doctor', 's3'], { env: { ...env, ...changes } });
      return stdout + stderr;
    };
    const profile = { AWS_CONFIG_FILE: folder.file('config'), AWS_PROFILE: 'mirror' };
    const keys = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
    // The server takes requests for its own region only.
    expect(await doctor({ ...keys, AWS_ENDPOINT_URL_S3: server.url, AWS_REGION: 'us-east-1' })).toContain(
      `bucket ${bucket.name} at ${server.url} (from AWS_ENDPOINT_URL_S3), region us-east-1 (from AWS_REGION)`,
    );
    expect(await doctor(profile)).toContain('it is in another region than eu-central-1');
    expect(await doctor({ ...profile, AWS_DEFAULT_REGION: 'us-east-1' })).toContain(
      `at ${server.url} (from [profile mirror] of ${folder.file('config')}), region us-east-1 (from AWS_DEFAULT_REGION)`,
    );
    const ours = {
      S3_HOST: server.url,
      S3_REGION: 'us-east-1',
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL: 'http://no.invalid',
    };
    expect(await doctor({ ...profile, ...ours })).toContain(`at ${server.url}, region us-east-1`);
    expect(await doctor({ ...keys, AWS_ENDPOINT_URL: 'ftp://host' })).toContain(
      'AWS_ENDPOINT_URL: must be an http or https URL',
    );
  });

  it('takes the role of a profile', async () => {
    await using folder = await Folder.make();
    const sts = http.createServer((request, response) => {
      request.resume();
      const expiry = new Date(Date.now() + 3_600_000).toISOString();
      response.setHeader('content-type', 'text/xml');
      response.end(
        `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>` +
          `<AccessKeyId>${accessKey}</AccessKeyId><SecretAccessKey>${secretKey}</SecretAccessKey>` +
          `<SessionToken></SessionToken><Expiration>${expiry}</Expiration>` +
          `</Credentials></AssumeRoleResult></AssumeRoleResponse>`,
      );
    });
    sts.listen(0, '127.0.0.1');
    await once(sts, 'listening');
    try {
      const lines = ['[profile base]', 'aws_access_key_id = nobody', 'aws_secret_access_key = nothing'];
      lines.push('[profile mirror]', 'role_arn = arn:aws:iam::123456789012:role/mirror', 'source_profile = base');
      lines.push('region = us-east-1', `endpoint_url = ${server.url}`, '');
      await writeFile(folder.file('config'), lines.join('\n'));
      await starts({
        AWS_CONFIG_FILE: folder.file('config'),
        AWS_PROFILE: 'mirror',
        AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${(sts.address() as AddressInfo).port}`,
      });
    } finally {
      sts.closeAllConnections();
      sts.close();
    }
  });

  it('says that there is none', async () => {
    const { code, stdout, stderr } = await Program.run(['--listen', '127.0.0.1:0', 's3'], {
      env: { ...bare(), HOME: '/nonexistent' },
    });
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr: `cannot list the bucket ${bucket.name}: no access key was given, and none was found (CredentialsProviderError)\n`,
    });
  });
});

describe('the upload buffer', () => {
  const env = () => ({
    S3_HOST: server.url,
    S3_BUCKET: bucket.name,
    S3_ACCESS_KEY: accessKey,
    S3_SECRET_KEY: secretKey,
  });

  it('is a check of doctor, which warns when it is in memory', async () => {
    await using folder = await Folder.make();
    const onDisk = await Program.run(['doctor', 's3'], { env: { ...env(), TMPDIR: folder.path } });
    expect(onDisk.stdout).toMatch(/storage: upload buffer +\d+ ms {2}[\d.]+ [GM]iB free of [\d.]+ [GM]iB in /);
    const { stdout } = await Program.run(['doctor', 's3'], { env: { ...env(), TMPDIR: '/dev/shm' } });
    expect(stdout).toMatch(
      /warn +storage: upload buffer .* in \/dev\/shm, which is in memory: set TMPDIR to a folder on a/,
    );
  });

  it('is warned about at the start when it is in memory', async () => {
    await using program = await Program.start(['--listen', '127.0.0.1:0', 's3'], {
      env: { ...env(), TMPDIR: '/dev/shm' },
    });
    expect(program.stdout + program.stderr).toContain('downloads use memory until they are uploaded');
  });
});

describe('a bound that is a part of the whole', () => {
  it('is refused at start, for nobody knows how large a bucket is', async () => {
    expect(await refusal({ MAX_SIZE: '80%' })).toBe(
      '--max-size: the size of this storage is unknown: give bytes instead of a percentage',
    );
  });
});
