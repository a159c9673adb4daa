import { IsOptional } from 'class-validator';
import { everybody } from './rule.settings.js';
import { IsText } from '../validation/rules.js';
import { Setting } from '../validation/setting.decorator.js';
import { AreClaimPatterns, IsHttpsUrl, IsTextOf } from './validation.js';

/** Kinds of identities that no issuer may give. */
const ownKinds = ['user', 'group', 'robot', ...everybody];

/** An OpenID Connect issuer whose tokens are accepted as a password or as Bearer. */
export class IssuerSettings {
  @Setting({ name: 'issuer', description: 'the URL in the tokens, exactly as there' })
  @IsHttpsUrl()
  issuer!: string;

  @Setting({ name: 'audience', description: 'the audience that a token must have been issued for' })
  @IsText('text without control characters', 512)
  audience!: string;

  @Setting({
    name: 'identity',
    description: 'who a token is: a kind and a name with claims in braces, such as github:{repository}',
  })
  @IsTextOf(
    `a kind other than ${ownKinds.join(', ')}, a colon, and a name with at least one claim in braces`,
    (text) => {
      const [, kind = '', name = ''] = /^([a-z][a-z0-9-]*):(.+)$/.exec(text) ?? [];
      return kind !== '' && !ownKinds.includes(kind) && /\{[^{}]+\}/.test(name);
    },
  )
  identity!: string;

  @Setting({
    name: 'claims',
    default: '{}',
    description: 'claims that a token must have, each with a list of values, in which * stands for any characters',
  })
  @AreClaimPatterns()
  claims: Record<string, string[]> = {};

  @Setting({ name: 'groups_claim', description: 'claim with a list of groups; none unless set' })
  @IsOptional()
  @IsText('the name of a claim', 128)
  groupsClaim?: string;

  @Setting({ name: 'jwks_file', description: 'file with the issuer’s keys (JWKS), where they cannot be fetched' })
  @IsOptional()
  @IsText('the path of a file', 4096)
  jwksFile?: string;

  @Setting({ name: 'ca_file', description: 'PEM file of private CAs to trust for this issuer' })
  @IsOptional()
  @IsText('the path of a PEM file', 4096)
  caFile?: string;
}
