import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findAwsDefaults } from './aws-defaults.js';

let folder: string;
let files: { AWS_CONFIG_FILE: string; AWS_SHARED_CREDENTIALS_FILE: string };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aws-defaults-'));
  files = { AWS_CONFIG_FILE: join(folder, 'config'), AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials') };
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (config: readonly string[], credentials: readonly string[] = []) => {
  writeFileSync(files.AWS_CONFIG_FILE, config.join('\n'));
  writeFileSync(files.AWS_SHARED_CREDENTIALS_FILE, credentials.join('\n'));
};

/** Only the values. */
function find(env: Record<string, string> = {}): (string | undefined)[] {
  const { region, host } = findAwsDefaults({ ...files, ...env });
  return [region?.value, host?.value];
}

describe('the environment of the AWS tools', () => {
  it('says nothing without variables and files', () => {
    expect(find()).toEqual([undefined, undefined]);
    expect(find({ AWS_REGION: '', AWS_ENDPOINT_URL: '' })).toEqual([undefined, undefined]);
  });

  it('prefers AWS_REGION to AWS_DEFAULT_REGION, and both to the profile', () => {
    write(['[default]', 'region = eu-south-1']);
    expect(find()[0]).toBe('eu-south-1');
    expect(find({ AWS_DEFAULT_REGION: 'eu-west-1' })[0]).toBe('eu-west-1');
    expect(find({ AWS_DEFAULT_REGION: 'eu-west-1', AWS_REGION: 'eu-north-1' })[0]).toBe('eu-north-1');
  });

  it('prefers the endpoint for S3, and variables to the profile', () => {
    write([
      '[profile mirror]',
      'services = local',
      'endpoint_url = http://all.test',
      '[services local]',
      'ec2 =',
      '  endpoint_url = http://ec2.test',
      's3 =',
      '  endpoint_url = http://s3.test # of the team',
      '  addressing_style = path',
    ]);
    const env = { AWS_PROFILE: 'mirror' };
    expect(find(env)[1]).toBe('http://s3.test');
    expect(find({ ...env, AWS_ENDPOINT_URL: 'http://any' })[1]).toBe('http://any');
    expect(find({ ...env, AWS_ENDPOINT_URL: 'http://any', AWS_ENDPOINT_URL_S3: 'http://one' })[1]).toBe('http://one');
    expect(find({ ...env, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' })[1]).toBeUndefined();
    write(['[profile mirror]', 'services = none', 'endpoint_url = http://all.test']);
    expect(find(env)[1]).toBe('http://all.test');
  });

  it('reads the profile from both files, and names the source', () => {
    write(
      ['[default]', 'region = other', '[ profile  mirror ]', '; a comment', 'output=json', 'region=eu-west-3'],
      ['[mirror]', 'region = second', 'endpoint_url = http://here'],
    );
    expect(findAwsDefaults({ ...files, AWS_PROFILE: 'mirror' })).toEqual({
      region: { value: 'eu-west-3', source: `[profile mirror] of ${files.AWS_CONFIG_FILE}` },
      host: { value: 'http://here', source: `[mirror] of ${files.AWS_SHARED_CREDENTIALS_FILE}` },
    });
    expect(findAwsDefaults({ ...files, AWS_REGION: 'here' }).region).toEqual({ value: 'here', source: 'AWS_REGION' });
  });

  it('takes [profile default] for [default]', () => {
    write(['[profile default]', 'region = eu-west-3']);
    expect(find()[0]).toBe('eu-west-3');
  });

  it('is not disturbed by lines that mean nothing', () => {
    write([
      'region = before',
      '',
      '[default',
      '[default]',
      'nonsense',
      '= x',
      'region = "here"; no comment',
      'region = a;b',
    ]);
    expect(find()[0]).toBe('a;b');
  });
});
