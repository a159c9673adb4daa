import { X509Certificate } from 'node:crypto';

const begin = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/g;
const whole = /-----BEGIN ((?:TRUSTED |X509 )?)CERTIFICATE-----[\s\S]+?-----END \1CERTIFICATE-----/g;

/** Why PEM text cannot be used as CAs; OpenSSL would stop silently at the first that is damaged. */
export function reasonAgainstCertificates(pem: string): string | undefined {
  const blocks = pem.match(whole) ?? [];
  const count = pem.match(begin)?.length ?? 0;
  if (count === 0) return 'contains no PEM certificate';
  return blocks.length === count && blocks.every(isCertificate) ? undefined : 'contains a damaged certificate';
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0;
  } catch {
    return false;
  }
}
