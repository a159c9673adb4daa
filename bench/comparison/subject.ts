import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startRegistry } from '../peers/docker-registry.peer.js';
import { serveMirror } from '../peers/mirror.peer.js';
import type { Server } from '../processes/server.js';
import type { BucketAddress } from '../s3/bucket.js';
import type { Scope } from '../scope.js';

export interface Upstream {
  readonly namespace: string;
  readonly url: string;
  readonly credentials?: { readonly username: string; readonly password: string };
}

export interface SubjectSettings {
  /** An empty folder for configuration and log. */
  readonly folder: string;
  readonly content: string | BucketAddress;
  /** A subject that takes one upstream only gets the first. */
  readonly upstreams: readonly Upstream[];
  /** How long a tag is fresh, where that can be set; the program's own default unless given. */
  readonly tagTtl?: string | undefined;
  /** Whether others serve from the same storage. */
  readonly isReplica?: boolean | undefined;
  readonly maxSize?: string | undefined;
  /** A file of users that clients have to be in. */
  readonly htpasswd?: string | undefined;
  /** A namespace for what clients push, which anybody may, where the program has that beside mirrored ones. */
  readonly hosted?: string | undefined;
}

/** A program that is tried. */
export interface Subject {
  readonly label: string;
  readonly version: string;
  /** Whether it can be told how much space content may take. */
  readonly limitsSize: boolean;
  start(scope: Scope, settings: SubjectSettings): Promise<Server>;
}

export function mirror(version: string): Subject {
  return {
    label: 'this program',
    version,
    limitsSize: true,
    start: async (scope, { folder, content, upstreams, tagTtl, isReplica = false, maxSize, htpasswd, hosted }) => {
      const accessFile = htpasswd === undefined ? undefined : await writeAccess(folder, htpasswd);
      const options = (origin: string): string[] => [
        ...(isReplica ? ['--advertise-url', origin] : []),
        ...(maxSize === undefined ? [] : ['--max-size', maxSize]),
        ...(accessFile === undefined ? [] : ['--access-file', accessFile]),
        ...(hosted === undefined ? [] : ['--hosted-namespace', hosted, '--allow-anonymous-push']),
      ];
      const file = JSON.stringify(upstreams.map((upstream) => upstreamOf(upstream, tagTtl)));
      return serveMirror(scope, { folder, content, node: process.execPath, upstreams: file, options });
    },
  };
}

function upstreamOf({ namespace, url, credentials }: Upstream, tagTtl: string | undefined): object {
  const freshness = tagTtl === undefined ? {} : { tag_ttl: tagTtl };
  return { namespace, host: new URL(url).host, tls: false, ...credentials, ...freshness };
}

/** @returns undefined when the program is not installed */
export function registry(label: string, program: string): Subject | undefined {
  const { stdout, status } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  return {
    label,
    version: stdout.trim().split(' ').at(-1) ?? '',
    limitsSize: false,
    start: (scope, { folder, content, upstreams, htpasswd }) => {
      const [{ url, credentials } = missing()] = upstreams;
      return startRegistry(scope, { folder, storage: content, upstream: url, credentials, htpasswd, program });
    },
  };
}

/** Users may pull everything. */
async function writeAccess(folder: string, users: string): Promise<string> {
  const file = join(folder, 'access.yaml');
  const rules = [{ repositories: ['**'], who: ['authenticated'], may: ['pull'] }];
  await writeFile(file, JSON.stringify({ users_file: users, rules }));
  return file;
}

function missing(): never {
  throw new Error('a trial without an upstream');
}

/** `client` with the password `client-password`. */
export async function writeUsers(folder: string): Promise<string> {
  const file = join(folder, 'htpasswd');
  await writeFile(file, 'client:$2y$05$Dz56AjptQPf4WI76s7Sx3.ZUibVg/9oyhk0quxUkN4VTQsAnzRJ9.\n');
  return file;
}
