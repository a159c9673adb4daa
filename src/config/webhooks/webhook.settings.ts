import { IsOptional } from 'class-validator';
import { RepositoryPattern } from '../../oci/patterns/repository-pattern.js';
import { AreTexts, IsTextOf } from '../access/validation.js';
import { IsCount, IsFlag, IsOneOf, IsSecret, IsText, rule } from '../validation/rules.js';
import { parseBoolean, parseInteger, parseList, Setting } from '../validation/setting.decorator.js';
import { parseDuration } from '../values/duration.js';
import { toSecret, type Secret } from '../values/secret.js';
import { parseSize } from '../values/size.js';
import { AreHeaders, IsWebhookUrl, toHeaders, type Headers } from './webhook.rules.js';

/** What an event may be about. */
export const eventActions = ['push', 'pull', 'delete', 'mount', 'evict'] as const;
export type EventAction = (typeof eventActions)[number];

export const eventFormats = ['distribution', 'cloudevents'] as const;
export type EventFormat = (typeof eventFormats)[number];

const IsWithin = (least: number, most: number, what: string) =>
  rule('isWithin', `must be ${what}`, (value) => typeof value === 'number' && value >= least && value <= most);

/** One entry of the webhooks file. Durations are in milliseconds. */
export class WebhookSettings {
  @Setting({ name: 'name', description: 'name in logs and metrics: up to 64 lower-case letters, digits and dashes' })
  @IsTextOf('up to 64 lower-case letters, digits and dashes', (text) => /^[a-z0-9][a-z0-9-]{0,63}$/.test(text))
  name!: string;

  @Setting({ name: 'url', description: 'http or https URL that events are sent to by POST; it is never logged' })
  @IsWebhookUrl()
  url!: string;

  @Setting({
    name: 'format',
    default: 'distribution',
    description:
      '`distribution` (the envelope of the CNCF registry) or `cloudevents` (CloudEvents 1.0, structured JSON)',
  })
  @IsOneOf(eventFormats)
  format: EventFormat = 'distribution';

  @Setting({
    name: 'events',
    default: 'push, delete, mount, evict',
    parse: parseList,
    description: 'what is sent: push, pull, delete, mount and evict, in any combination',
  })
  @AreTexts(`events: ${eventActions.join(', ')}`, eventActions.length, (text) =>
    (eventActions as readonly string[]).includes(text) ? undefined : `must be one of ${eventActions.join(', ')}`,
  )
  events: EventAction[] = ['push', 'delete', 'mount', 'evict'];

  @Setting({
    name: 'repositories',
    default: '**',
    parse: parseList,
    description:
      'patterns over namespace and name, such as local/team/**: * is any text within a component, ** any number of components',
  })
  @AreTexts('patterns of repositories such as docker.io/** or local/team/*', 1000, reasonAgainstPattern)
  repositories: string[] = ['**'];

  @Setting({ name: 'headers', default: '{}', secret: true, description: 'headers of each request: values by name' })
  @AreHeaders()
  get headers(): Headers {
    return this.secretHeaders;
  }
  set headers(value: unknown) {
    this.secretHeaders = toHeaders(value);
  }

  @Setting({ name: 'token', secret: true, description: 'token that each request has as `Authorization: Bearer`' })
  @IsOptional()
  @IsSecret('a token without spaces and control characters')
  get token(): Secret | undefined {
    return this.secret;
  }
  set token(value: Secret | string | undefined) {
    this.secret = toSecret(value);
  }

  @Setting({ name: 'token_file', description: 'file that contains the token, such as a mounted secret' })
  @IsOptional()
  @IsText('the path of a file', 4096)
  tokenFile?: string;

  @Setting({
    name: 'timeout',
    default: '10s',
    parse: parseDuration,
    description: 'how long a request may take, from 100ms to 5m',
  })
  @IsWithin(100, 300_000, 'a duration from 100ms to 5m')
  timeout = 10_000;

  @Setting({
    name: 'retry_for',
    default: '1d',
    parse: parseDuration,
    description: 'age of an event after which a failed request is not repeated and the event is dropped, up to 30d',
  })
  @IsWithin(0, 30 * 86_400_000, 'a duration up to 30d')
  retryFor = 86_400_000;

  @Setting({
    name: 'max_queued_events',
    default: '10000',
    parse: parseInteger,
    description: 'maximum number of events that wait; beyond half of it, those of pull and evict are dropped',
  })
  @IsCount(1, 100_000)
  maxQueuedEvents = 10_000;

  @Setting({
    name: 'max_queue_size',
    default: '64MiB',
    parse: parseSize,
    description: 'maximum size of the events that wait; beyond half of it, those of pull and evict are dropped',
  })
  @IsCount(4096, 2 ** 40)
  maxQueueSize = 64 * 1024 * 1024;

  @Setting({
    name: 'ca_file',
    description: 'PEM file of private CAs to trust for this URL in addition to the public ones',
  })
  @IsOptional()
  @IsText('the path of a PEM file', 4096)
  caFile?: string;

  @Setting({
    name: 'accept_invalid_certs',
    default: 'false',
    parse: parseBoolean,
    description: 'accept any certificate at this URL',
  })
  @IsFlag()
  acceptInvalidCerts = false;

  /** Content of the CA file. Not a setting. */
  certificateAuthorities?: string;

  private secret?: Secret | undefined;
  private secretHeaders: Headers = {};
}

function reasonAgainstPattern(text: string): string | undefined {
  try {
    const pattern = RepositoryPattern.parse(text);
    return pattern.placeholders.length === 0 ? undefined : 'must have no placeholder';
  } catch (error) {
    return error instanceof Error ? error.message : 'is not a pattern';
  }
}
