import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest';
import { GoogleSettings } from '../../../src/config/credentials/google.settings.js';
import { GoogleSource } from '../../../src/upstream/credentials/clouds/google.source.js';
import type { SourceContext } from '../../../src/upstream/credentials/credential.source.js';
import { HandClock } from '../hand-clock.js';
import { GoogleCloud } from './google-cloud.js';

export const signal = () => AbortSignal.timeout(20_000);

/** A machine that reaches Google, with a folder for files; a new cloud for each test. */
export class GoogleMachine {
  readonly clock = new HandClock();
  cloud!: GoogleCloud;
  folder!: string;

  /** Registers what has to run before and after the tests of a file. */
  constructor() {
    beforeAll(async () => (this.folder = await mkdtemp(join(tmpdir(), 'google-'))));
    afterAll(() => rm(this.folder, { recursive: true }));
    beforeEach(async () => {
      this.cloud = await new GoogleCloud(this.clock).start();
      vi.stubEnv('GCE_METADATA_HOST', this.cloud.host);
      vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined);
    });
    afterEach(async () => {
      vi.unstubAllEnvs();
      await this.cloud[Symbol.asyncDispose]();
    });
  }

  sourceOf(settings: Partial<GoogleSettings> = {}, host?: string, context?: Partial<SourceContext>): GoogleSource {
    const given = { tokenHosts: [this.cloud.host], ...settings };
    return new GoogleSource(Object.assign(new GoogleSettings(), given), { ...this.contextOf(host), ...context });
  }

  async fileOf(text: string, name = 'credentials.json'): Promise<string> {
    const file = join(this.folder, name);
    await writeFile(file, text);
    return file;
  }

  get paths(): string[] {
    return this.cloud.requests.map(({ url }) => url.pathname);
  }

  /** The fields of the last request. */
  get lastForm(): Record<string, string> {
    return Object.fromEntries(new URLSearchParams(this.cloud.requests.at(-1)?.body));
  }

  private contextOf(host = 'europe-docker.pkg.dev'): SourceContext {
    const base = new URL(`https://${host}`);
    return { host, base, certificateAuthorities: undefined, acceptInvalidCerts: false, clock: this.clock };
  }
}
