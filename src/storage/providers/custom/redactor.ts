import type { Logger } from '@nestjs/common';
import type { ProviderLogger } from './provider.factory.js';

/** Shorter values, as `1` or `yes`, are no secrets, and replacing them would make any text unreadable. */
const shortestSecret = 4;

/** Takes the values of options out of what a provider says. */
export class Redactor {
  private readonly secrets: readonly string[];

  constructor(values: readonly string[]) {
    // The longest first: one may be a part of another.
    this.secrets = values.filter(({ length }) => length >= shortestSecret).sort((a, b) => b.length - a.length);
  }

  text(text: string): string {
    return this.secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text);
  }

  /** What is wrong, in one line. */
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
