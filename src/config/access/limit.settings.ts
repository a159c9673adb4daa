import { IsOptional } from 'class-validator';
import { IsOneOf, rule } from '../validation/rules.js';
import { parseList, Setting } from '../validation/setting.decorator.js';
import { parseByteRate, parseRate, type Rate } from './rate.js';
import { reasonAgainstIdentity } from './rule.settings.js';
import { AreTexts } from './validation.js';

const isRate = (value: unknown) => typeof value === 'object' && value !== null && 'span' in value;
const IsRate = (example: string) =>
  rule('isRate', `must be an amount and a span of at least a second, such as ${example}`, isRate);

/** One entry of the access file's `limits`. */
export class LimitSettings {
  @Setting({
    name: 'who',
    parse: parseList,
    description:
      'identities as in rules, but `anonymous` is only whoever has not signed in; the first entry for a request counts, and no other',
  })
  @AreTexts('identities such as anonymous, authenticated or robot:ci', 1000, reasonAgainstIdentity)
  who!: string[];

  @Setting({
    name: 'per',
    default: 'identity',
    description:
      '`identity`: each has its own amount; `address`: all at one address share it. `anonymous` is always counted by address; a /64 is one address',
  })
  @IsOneOf(['identity', 'address'])
  per: 'identity' | 'address' = 'identity';

  @Setting({
    name: 'pulls',
    parse: parseRate,
    description: 'manifests that may be pulled in a span of time, such as 100/1h; HEAD is free, as at Docker Hub',
  })
  @IsOptional()
  @IsRate('100/1h')
  pulls?: Rate;

  @Setting({ name: 'pushes', parse: parseRate, description: 'manifests that may be pushed, such as 100/1h' })
  @IsOptional()
  @IsRate('100/1h')
  pushes?: Rate;

  @Setting({ name: 'bytes', parse: parseByteRate, description: 'bytes sent and received, such as 50GiB/1d' })
  @IsOptional()
  @IsRate('50GiB/1d')
  bytes?: Rate;
}
