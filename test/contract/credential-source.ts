import { inspect } from 'node:util';
import { expect } from 'vitest';
import { Secret } from '../../src/config/values/secret.js';
import { CredentialError, type CredentialSource } from '../../src/upstream/credentials/credential.source.js';

/** A source in a world that can be made to fail. */
export interface SourceWorld extends AsyncDisposable {
  readonly source: CredentialSource;
  /** None of these texts may be shown. */
  readonly secrets: readonly string[];
  /** Whether its credentials have a known end. */
  readonly ends: boolean;
  /** From now on, what the source reads is nonsense that contains the secrets. */
  garble(): Promise<void>;
  /** Changes what the source reads without asking anybody, if it reads something. */
  readonly change?: () => Promise<void>;
  /** From now on, what the source asks does not respond; undefined for a source that reads files only. */
  readonly stall?: () => Promise<void>;
}

export interface SourceCase {
  readonly name: string;
  readonly run: (world: SourceWorld) => Promise<void>;
}

const patient = () => AbortSignal.timeout(20_000);

/** What every source of credentials does (`CredentialSource`). */
export const sourceCases: readonly SourceCase[] = [
  {
    name: 'gives a user, a secret, whose they are and until when',
    async run({ source, ends, secrets }) {
      const found = await source.fetch(patient(), '');
      expect(found?.username).toMatch(/^[\x21-\x7e]+$/);
      expect(found?.password).toBeInstanceOf(Secret);
      expect(found?.password.reveal()).not.toBe('');
      expect(found?.identity).toMatch(/\S/);
      expect(found?.expiresAt !== undefined).toBe(ends);
      if (found?.expiresAt !== undefined) expect(found.expiresAt).toBeGreaterThan(Date.now());
      expectHidden(found, [...secrets, found!.password.reveal()]);
    },
  },
  {
    name: 'gives them again',
    async run({ source }) {
      const [first, second] = [await source.fetch(patient(), ''), await source.fetch(patient(), '')];
      expect(second?.username).toBe(first?.username);
      expect(second?.identity).toBe(first?.identity);
    },
  },
  {
    name: 'shows no secret when it is printed',
    async run({ source, secrets }) {
      await source.fetch(patient(), '');
      // As JSON it would be a circle: it may keep connections.
      const text = inspect(source, { depth: 3 });
      for (const secret of secrets) expect(text).not.toContain(secret);
    },
  },
  {
    name: 'has a mark that changes with what it reads, and only then',
    async run({ source, change }) {
      if (!source.mark || !change) return;
      await source.fetch(patient(), '');
      const mark = await source.mark();
      expect(await source.mark()).toBe(mark);
      await change();
      expect(await source.mark()).not.toBe(mark);
    },
  },
  {
    name: 'ends with an error of its own, without a secret, when what it reads is nonsense',
    async run({ source, garble, secrets }) {
      await source.fetch(patient(), '');
      await garble();
      const error = await failureOf(source, patient());
      expect(error).toBeInstanceOf(CredentialError);
      expectHidden(error, secrets);
    },
  },
  {
    name: 'ends soon after its signal',
    async run({ source, stall, secrets }) {
      if (!stall) return;
      await stall();
      const began = performance.now();
      const error = await failureOf(source, AbortSignal.timeout(100));
      expect(performance.now() - began).toBeLessThan(10_000);
      expectHidden(error, secrets);
    },
  },
];

async function failureOf(source: CredentialSource, signal: AbortSignal): Promise<unknown> {
  return source.fetch(signal, '').then(
    () => expect.fail('credentials'),
    (error: unknown) => error,
  );
}

/** Whatever a log, a page or a debugger would make of it. */
function expectHidden(value: unknown, secrets: readonly string[]): void {
  const properties = value instanceof Error ? Object.getOwnPropertyNames(value) : undefined;
  const texts = [JSON.stringify(value, properties as string[]), String(value), inspect(value, { depth: 3 })];
  for (const secret of secrets) expect(texts.filter((text) => text.includes(secret))).toEqual([]);
}
