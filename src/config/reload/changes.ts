import { createHash } from 'node:crypto';
import { Namespace } from '../../oci/namespace.js';
import { HostedSettings } from '../hosted/hosted.settings.js';
import { UpstreamSettings } from '../upstream.settings.js';
import { settingsOf } from '../validation/setting.decorator.js';
import { Secret } from '../values/secret.js';
import { WebhookSettings } from '../webhooks/webhook.settings.js';
import type { FollowedSettings } from './followed.files.js';

/** Whether two entries mean the same, secrets and the content of files included. */
export function areEqual(one: object, other: object): boolean {
  return one === other || fingerprint(one) === fingerprint(other);
}

/** As `areEqual`, apart from the content of password files, which those who use them follow on their own. */
export function meanSame(one: object, other: object): boolean {
  return one === other || fingerprint(one, true) === fingerprint(other, true);
}

/** What differs, one line for each entry: names of entries and of keys, never a value. */
export function changesBetween(before: FollowedSettings, after: FollowedSettings): string[] {
  const registry = ({ namespace }: { readonly namespace: string }) => Namespace.parse(namespace).toString();
  const webhook = ({ name }: WebhookSettings) => `webhook ${name}`;
  return [
    ...compare(UpstreamSettings, before.upstreams, after.upstreams, registry),
    ...compare(HostedSettings, before.hosted, after.hosted, (entry) => `hosted ${registry(entry)}`),
    ...compare(WebhookSettings, before.webhooks ?? [], after.webhooks ?? [], webhook),
  ];
}

function compare<T extends object>(
  type: new () => T,
  before: readonly T[],
  after: readonly T[],
  nameOf: (entry: T) => string,
): string[] {
  const [old, now] = [before, after].map((list) => new Map(list.map((entry) => [nameOf(entry), entry])));
  const removed = [...(old ?? [])].flatMap(([name]) => (now?.has(name) === true ? [] : `${name} removed`));
  const others = [...(now ?? [])].flatMap(([name, entry]) => {
    const previous = old?.get(name);
    if (!previous) return `${name} added`;
    return areEqual(previous, entry) ? [] : `${name} changed (${keysOf(type, previous, entry).join(', ')})`;
  });
  return [...removed, ...others];
}

function keysOf<T extends object>(type: new () => T, before: T, after: T): string[] {
  const names = settingsOf(type).flatMap(({ name, property }) => {
    const [one, other] = [before, after].map((entry) => fingerprint((entry as Record<string, unknown>)[property]));
    return one === other ? [] : [name];
  });
  // The content of a file counts as its key.
  const named = names.map((name) => fileKeyOf(name, after) ?? name);
  if (!isSame(before, after, 'certificateAuthorities')) named.push('ca_file');
  return named.length === 0 ? ['credentials'] : [...new Set(named)];
}

function fileKeyOf(name: string, entry: object): string | undefined {
  if (name === 'password' && isSet(entry, 'passwordFile')) return 'password_file';
  return name === 'token' && isSet(entry, 'tokenFile') ? 'token_file' : undefined;
}

function isSet(entry: object, property: string): boolean {
  return (entry as Record<string, unknown>)[property] !== undefined;
}

function isSame(one: object, other: object, property: string): boolean {
  const [first, second] = [one, other].map((entry) => fingerprint((entry as Record<string, unknown>)[property]));
  return first === second;
}

/** A hash, so that no secret is kept for the comparison. */
function fingerprint(value: unknown, withoutFiles = false): string {
  const text = JSON.stringify({ value }, function (this: Record<string, unknown>, key, item: unknown) {
    // `toJSON` of a secret has hidden it already.
    const raw = this[key];
    if (withoutFiles && raw instanceof Secret && this.passwordFile !== undefined) return undefined;
    if (raw instanceof Secret) return `secret ${raw.reveal()}`;
    return typeof item === 'number' && !Number.isFinite(item) ? String(item) : item;
  });
  return createHash('sha256').update(text).digest('base64');
}
