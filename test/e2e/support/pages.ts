import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { request, type Reply } from '../../fakes/request.js';
import type { Mirror } from './mirror.js';

export interface PageRequest {
  readonly authorization?: string;
  /** `Accept-Language`. */
  readonly language?: string;
  readonly headers?: Record<string, string>;
}

export const basic = (user: string, password = 'secret') =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** What a browser that follows nothing gets. @param path with its query */
export function getPage(
  mirror: Mirror,
  path: string,
  { authorization, language, headers }: PageRequest = {},
): Promise<Reply> {
  return request(`${mirror.url}${path}`, {
    headers: {
      accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
      ...(authorization !== undefined && { authorization }),
      ...(language !== undefined && { 'accept-language': language }),
      ...headers,
    },
  });
}

/** Text of a page that has to be there, and is as every page has to be. */
export async function pageText(mirror: Mirror, path: string, options: PageRequest = {}): Promise<string> {
  const reply = await getPage(mirror, path, options);
  expect(reply.status, path).toBe(200);
  return soundPage(reply);
}

/** What holds for every page, whatever it shows. @returns its text, without places at which names may be broken */
export function soundPage({ headers, body }: Reply): string {
  const text = body.toString();
  expect(headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'referrer-policy': 'same-origin',
  });
  const policy = String(headers['content-security-policy']);
  expect(policy).toContain("default-src 'none'; style-src 'self'; script-src 'self'");
  expect(policy).not.toContain('unsafe');
  expect(text.startsWith('<!doctype html><html lang="en">')).toBe(true);
  // Nothing inline, and nothing of another server.
  expect(text).not.toMatch(
    /<style|<script(?! src="\/_ui\/assets\/)|<[^>]+\s(?:style|on\w+)=|<(?:link|script|img)[^>]+(?:src|href)="(?!\/_ui\/)/i,
  );
  expect(text).not.toMatch(/\[object |undefined|NaN/);
  const ids = [...text.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  expect(gzipSync(text).length).toBeLessThanOrEqual(30_000);
  return text.replaceAll('<wbr/>', '');
}
