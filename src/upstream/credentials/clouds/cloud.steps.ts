import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../../../config/clock/clock.js';
import { JsonError, readJson, type JsonShape } from '../../../oci/json/json.js';
import { type CloudClient, CloudError, type CloudRequest, type CloudResponse } from '../cloud.client.js';
import { retrying } from '../cloud.retry.js';
import { CredentialError } from '../credential.source.js';

/** One request of a recipe. */
export interface Step extends Omit<CloudRequest, 'signal'> {
  /** As messages name it: `the token request for the service account x@y`. */
  readonly name: string;
  /** What of the response is needed. */
  readonly fields: Readonly<Record<string, JsonShape>>;
  /**
   * What to do about a failure; undefined when there is nothing special to do.
   * @param status undefined without a response. @param code of the error, '' when the response has none
   */
  readonly advise?: (status: number | undefined, code: string) => string | undefined;
}

/** What a step needs of a response. */
export interface StepResult {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
}

/** Seconds by which two clocks may differ before a message says so. */
const toleratedSkew = 60;
/** The error codes of OAuth, Google, Azure Container Registry and Microsoft Entra. */
const errorShape: JsonShape = {
  fields: {
    error: { fields: { status: 'value' } },
    error_codes: { items: 'value', max: 1 },
    errors: { items: { fields: { code: 'value' } }, max: 1 },
  },
};

/** Sends the requests of a recipe. Every failure names the step, the host, the status and the error code, and no secret. */
export class CloudSteps {
  constructor(
    private readonly client: CloudClient,
    private readonly clock: Clock,
  ) {}

  /** @throws CredentialError unless the response has status 2xx and is a JSON object */
  async run(step: Step, signal: AbortSignal): Promise<StepResult> {
    const response = this.accept(step, await this.send(step, signal));
    return { fields: fieldsOf(response.text, step), headers: response.headers };
  }

  /** Undefined for a response with status 404. @throws CredentialError as `run` */
  async find(step: Step, signal: AbortSignal): Promise<StepResult | undefined> {
    const response = await this.send(step, signal);
    if (response.status === 404) return undefined;
    return { fields: fieldsOf(this.accept(step, response).text, step), headers: response.headers };
  }

  /** The text of a response with status 2xx. @throws CredentialError */
  async read(step: Step, signal: AbortSignal): Promise<string> {
    return this.accept(step, await this.send(step, signal)).text;
  }

  private async send({ name, fields: _, advise, ...request }: Step, signal: AbortSignal): Promise<CloudResponse> {
    try {
      return await retrying(() => this.client.send({ ...request, signal }), signal);
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      throw new CredentialError(join(`${name} failed: ${error.message}`, advise?.(undefined, '')));
    }
  }

  private accept(step: Step, response: CloudResponse): CloudResponse {
    const { status, headers, text } = response;
    if (status >= 200 && status < 300) return response;
    const code = codeOf(text);
    const reason = `${step.url.host} responded with ${status}${code === '' ? '' : ` (${code})`}`;
    throw new CredentialError(
      join(`${step.name} failed: ${reason}`, step.advise?.(status, code), this.skewOf(headers, step)),
    );
  }

  /** Assertions and expiry times are judged by the other side's clock. */
  private skewOf({ date = '' }: IncomingHttpHeaders, { url }: Step): string | undefined {
    const difference = Math.round((this.clock.now() - Date.parse(date)) / 1000);
    if (Number.isNaN(difference) || Math.abs(difference) <= toleratedSkew) return undefined;
    const direction = difference > 0 ? 'ahead of' : 'behind';
    return `the clock of this machine is ${Math.abs(difference)} s ${direction} that of ${url.host}: correct it`;
  }
}

/** The error code of a response. A free text could contain anything, so it is not repeated. */
function codeOf(text: string): string {
  let body: unknown;
  try {
    body = readJson(Buffer.from(text), errorShape);
  } catch (error) {
    if (error instanceof JsonError) return '';
    throw error;
  }
  const { error, error_codes: numbers, errors } = (body ?? {}) as Record<string, unknown>;
  const code = isCode(error) ? error : (fieldOf(error, 'status') ?? fieldOf(firstOf(errors), 'code'));
  const number = firstOf(numbers);
  const entra = typeof number === 'number' && Number.isInteger(number) ? `AADSTS${number}` : undefined;
  return [code, entra].filter(isCode).join(', ');
}

const firstOf = (list: unknown): unknown => (Array.isArray(list) ? list[0] : undefined);
const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
const isCode = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z_]{1,40}\d{0,8}$/.test(value);

function fieldsOf(text: string, { name, url, fields }: Step): Readonly<Record<string, unknown>> {
  let body: unknown;
  try {
    body = readJson(Buffer.from(text), { fields });
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  throw new CredentialError(`${name} failed: the response of ${url.host} is no JSON object`);
}

function join(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined).join('; ');
}
