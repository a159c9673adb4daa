import { sizeText } from '../progress.line.js';
import type { Access, Credentials, Explained, Image, Outcome, Upstream } from './explained.js';

const width = 12;

/** An explanation for people: a paragraph for each part, its name in front of the first line. */
export function textOf(explained: Explained): string[] {
  const { reference, kind, last, record, rule, upstream, refusal, stored, now, access } = explained;
  return [
    `${reference} (${kind})`,
    ...part('last pull', [outcomeText(last), ...(last.before ? [`before that: ${outcomeText(last.before)}`] : [])]),
    ...part('record', record ? recordLines(record) : []),
    ...part('rule', rule ? [ruleText(rule)] : []),
    ...part('upstream', upstream ? upstreamLines(upstream) : []),
    ...part('refusal', refusal ? [`${refusal.reason}; remembered for another ${refusal.seconds} s`] : []),
    ...part('stored', storedLines(stored)),
    ...part('access', accessLines(access)),
    ...part('now', nowLines(now)),
  ];
}

function part(name: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => `${(index === 0 ? name : '').padEnd(width)}${line}`);
}

function outcomeText({ outcome, at, why }: Outcome): string {
  return `${outcome}${at === undefined ? '' : ` at ${timeText(at)}`}: ${why}`;
}

function recordLines(record: NonNullable<Explained['record']>): string[] {
  const { digest, mediaType, size, resolvedAt, confirmedAt, age, freshness, freshUntil, fallback } = record;
  const resolved = resolvedAt === undefined ? '' : `, at this digest since ${timeText(resolvedAt)}`;
  const until = freshness !== 'fresh' || freshUntil === undefined ? '' : ` until ${timeText(freshUntil)}`;
  return [
    `${digest}, ${mediaType}, ${sizeText(size)}`,
    `${freshness}${until}: ${freshness === 'permanent' ? 'pushed' : 'confirmed'} ${timeText(confirmedAt)}, ${age} s ago${resolved}`,
    ...(fallback === undefined ? [] : [`named by the fallback ${fallback}`]),
  ];
}

function ruleText({ lifetime, setting, pattern, ...rest }: NonNullable<Explained['rule']>): string {
  const { isDefault, staleWhileRevalidate, maxStale } = rest;
  const time = typeof lifetime === 'number' ? `${lifetime} s` : lifetime;
  const source = pattern === undefined ? setting : `${setting} with pattern ${pattern}`;
  const stale = staleWhileRevalidate > 0 ? `, then ${staleWhileRevalidate} s behind the response` : '';
  const end = maxStale === undefined ? '' : `, never stale for more than ${maxStale} s`;
  return `${time} by ${source}${isDefault ? ' (default)' : ''}${stale}${end}`;
}

function upstreamLines({ host, condition, reason, since, pauses, rateLimit, isSlow, ...rest }: Upstream): string[] {
  const { lastResponse, fallbacks } = rest;
  const begun = since === undefined ? '' : ` since ${timeText(since)}`;
  return [
    `${host}: ${condition}${begun}${reason === undefined ? '' : `: ${reason}`}`,
    ...(lastResponse ? [responseText(lastResponse)] : []),
    ...pauses.map(({ method, reason: why, seconds }) => {
      return `no ${method} is sent${seconds === undefined ? '' : ` for ${seconds} s`}: ${why}`;
    }),
    ...(isSlow ? ['it is slow: what is stored is served without waiting for it'] : []),
    ...(rateLimit ? [`pull limit: ${rateLimit.remaining} of ${rateLimit.limit} left in ${rateLimit.window} s`] : []),
    ...fallbacks.map((each) => `fallback ${each.host}: ${each.condition}`),
  ];
}

function responseText({ method, host, status, reason, at }: NonNullable<Upstream['lastResponse']>): string {
  const result = status === undefined ? 'no response' : `status ${status}`;
  return `last request: ${method} to ${host} at ${timeText(at)}: ${result}${reason === undefined ? '' : `, ${reason}`}`;
}

function storedLines({ manifest, images, isCut }: Explained['stored']): string[] {
  if (!manifest) return ['nothing'];
  return [`manifest ${manifest.state}: ${manifest.digest}`, ...images.map(imageText), ...(isCut ? ['and more'] : [])];
}

function imageText({ digest, platform, state, blobs, storedBlobs, bytes, storedBytes, missing }: Image): string {
  if (state === 'missing') return `${platform ?? digest}: not stored`;
  const counts = `${storedBlobs} of ${blobs} blobs, ${sizeText(storedBytes)} of ${sizeText(bytes)}`;
  return `${platform ?? digest}: ${counts}${missing.length === 0 ? '' : `; missing: ${missing.join(', ')}`}`;
}

function accessLines({ isEnabled, rules, decision }: Access): string[] {
  const lines = isEnabled
    ? rules.map(({ rule, who, filling }) => {
        const name = filling === undefined ? '' : `, where the rule stands for ${filling}`;
        return `access.rules[${rule}] lets ${who.join(', ')} pull${name}`;
      })
    : ['there is no access file: everybody may pull'];
  if (lines.length === 0) lines.push('no rule lets anybody pull');
  if (decision) {
    const rule = decision.rule === undefined ? '' : ` by access.rules[${decision.rule}]`;
    lines.push(`${decision.as} may ${decision.isAllowed ? '' : 'not '}pull${rule}`);
  }
  return lines;
}

function nowLines({ outcome, reason, request }: Explained['now']): string[] {
  const lines = [`${outcome}: ${reason}`];
  if (!request) return [...lines, 'the upstream would not be asked'];
  const { method, url, inBackground, credentials } = request;
  const as = credentials ? `with credentials of ${credentialsText(credentials)}` : 'without credentials';
  return [...lines, `would send${inBackground ? ' behind the response' : ''} ${method} ${url} ${as}`];
}

function credentialsText({ source, identities, problem }: Credentials): string {
  const whose = identities.length === 0 ? '' : ` (${identities.join(', ')})`;
  return `${source}${whose}${problem === undefined ? '' : `, which fail: ${problem}`}`;
}

/** To the second, in UTC. */
function timeText(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}
