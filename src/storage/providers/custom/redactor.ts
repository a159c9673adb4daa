import type { Logger } from '@nestjs/common';
import type { ProviderLogger } from './provider.factory.js';

/** Shorter values such as `1` or `yes` are not secrets, and replacing them would make text unreadable. */
const shortestSecret = 4;

/** Removes option values from messages of a provider. */
export class Redactor {
  private readonly secrets: readonly string[];

  constructor(values: readonly string[]) {
    // Longest first, since one value may contain another.
    this.secrets = values.filter(({ length }) => length >= shortestSecret).sort((a, b) => b.length - a.length);
  }

  text(text: string): string {
    return this.secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text);
  }

  /** The error message in one line. */
  line(error: unknown): string {
    const text = error instanceof Error ? error.message || error.name : String(error);
    return this.text(text)
      .replaceAll(/\s*\n\s*/g, '; ')
      .slice(0, 1000);
  }

  logger(logger: Logger): ProviderLogger {
    return {
      log: (message) => logger.log(this.text(message)),
      warn: (message) => logger.warn(this.text(message)),
      error: (message) => logger.error(this.text(message)),
      debug: (message) => logger.debug(this.text(message)),
    };
  }
}
