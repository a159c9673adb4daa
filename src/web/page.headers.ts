import type { PageFile } from './page.js';

/** Nothing inline is applied or run, and nothing of another server is loaded. */
const policy = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const common = {
  'x-content-type-options': 'nosniff',
  // With `no-referrer`, browsers send the forms of pages with `Origin: null`.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/** Pages are not compressed: what a visitor typed would share the compression with the token of a form. */
export const pageHeaders = {
  ...common,
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': policy,
  vary: 'accept, accept-language',
};

/** Of server-sent events. The last one keeps nginx from holding them back. */
export const liveHeaders = { ...common, 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };

/** Whatever a file has in it, no browser runs it as a page of this server. */
export function fileHeaders({ type, saveAs }: PageFile): Record<string, string> {
  return {
    ...common,
    'content-type': type,
    'content-security-policy': "default-src 'none'; sandbox",
    ...(saveAs !== undefined && { 'content-disposition': `attachment; filename="${saveAs.replace(/[^\w.-]/g, '_')}"` }),
  };
}
