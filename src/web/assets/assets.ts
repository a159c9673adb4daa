import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { icon } from './icon.js';
import { script } from './script.js';
import { style } from './style.js';

interface Asset {
  readonly path: string;
  readonly type: string;
  readonly plain: Buffer;
  readonly compressed: Buffer;
}

const assets = new Map(
  [
    { name: 'page.css', type: 'text/css; charset=utf-8', text: style },
    { name: 'page.js', type: 'text/javascript; charset=utf-8', text: script },
    { name: 'icon.svg', type: 'image/svg+xml', text: icon },
  ].map(({ name, type, text }): [string, Asset] => {
    const [stem = '', extension = ''] = name.split('.');
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
    const path = `/_ui/assets/${stem}-${hash}.${extension}`;
    return [name, { path, type, plain: Buffer.from(text), compressed: gzipSync(text, { level: 9 }) }];
  }),
);

export type AssetName = 'page.css' | 'page.js' | 'icon.svg';

/** Where the page finds one: its name changes with its content. */
export function assetPath(name: AssetName): string {
  return assets.get(name)?.path ?? '';
}

/**
 * @param file as in the path
 * @param accepted `Accept-Encoding`
 */
export function findAsset(file: string, accepted = '') {
  const [, stem = '', extension = ''] = /^([a-z]+)-[0-9a-f]{16}\.([a-z]+)$/.exec(file) ?? [];
  const asset = assets.get(`${stem}.${extension}`);
  if (!asset) return undefined;
  // The page may have come from a replica of another version: it gets what is here, and does not keep it.
  const isCurrent = asset.path.endsWith(`/${file}`);
  const isCompressed = /(?:^|,)\s*(?:gzip|\*)\s*(?:,|$)/i.test(accepted);
  return {
    body: isCompressed ? asset.compressed : asset.plain,
    headers: {
      'content-type': asset.type,
      'cache-control': isCurrent ? 'public, max-age=31536000, immutable' : 'no-store',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
      'content-security-policy': "default-src 'none'; sandbox",
      vary: 'accept-encoding',
      ...(isCompressed && { 'content-encoding': 'gzip' }),
    },
  };
}
