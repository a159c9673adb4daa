import { IsText } from '../validation/rules.js';
import { Setting } from '../validation/setting.decorator.js';
import { everybody } from './rule.settings.js';
import { IsTextOf } from './validation.js';

/** What of a certificate can be in an identity. */
export const certificateFields = ['cn', 'dns', 'email', 'uri'] as const;
export type CertificateField = (typeof certificateFields)[number];

/** A field in the identity of a certificate. */
const field = /\{([^{}]*)\}/g;
/** `user` is allowed: the CA says then who is which user. */
const otherKinds = ['group', 'robot', ...everybody];

/** Client certificates that are accepted in place of credentials. */
export class ClientCertificateSettings {
  @Setting({ name: 'ca_file', description: 'PEM file of the root CAs whose client certificates count' })
  @IsText('the path of a PEM file', 4096)
  caFile!: string;

  @Setting({
    name: 'identity',
    default: 'certificate:{cn}',
    description:
      'who a certificate is: a kind and a name with `{cn}`, or the first `{dns}`, `{email}` or `{uri}` of its alternative names',
  })
  @IsTextOf(
    `a kind other than ${otherKinds.join(', ')}, a colon, and a name with {cn}, {dns}, {email} or {uri}`,
    (text) => {
      const [, kind = '', name = ''] = /^([a-z][a-z0-9-]*):(.+)$/.exec(text) ?? [];
      const fields = [...name.matchAll(field)].map(([, one = '']) => one);
      const areKnown = fields.every((one) => (certificateFields as readonly string[]).includes(one));
      return kind !== '' && !otherKinds.includes(kind) && fields.length > 0 && areKnown;
    },
  )
  identity = 'certificate:{cn}';
}
