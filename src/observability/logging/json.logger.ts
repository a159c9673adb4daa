import type { LoggerService } from '@nestjs/common';
import pino, { type DestinationStream, type Logger } from 'pino';

/** Writes one JSON object per line. Nest's own start-up messages have level debug. */
export class JsonLogger implements LoggerService {
  readonly pino: Logger;

  /** @param worker number of the process, as a field of every line. */
  constructor(
    level: string,
    readonly destination: DestinationStream,
    readonly worker?: number,
  ) {
    const base = worker === undefined ? null : { worker };
    this.pino = pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  }

  log(message: unknown, ...rest: unknown[]): void {
    const context = contextOf(rest);
    if (context !== undefined && frameworkContexts.has(context)) this.write('debug', message, rest);
    else this.write('info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write(contextOf(rest) === 'ExceptionHandler' ? 'debug' : 'error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  private write(
    level: 'info' | 'error' | 'warn' | 'debug' | 'trace',
    message: unknown,
    rest: readonly unknown[],
  ): void {
    const context = contextOf(rest);
    const stack = level === 'error' && rest.length > 1 && typeof rest[0] === 'string' ? { stack: rest[0] } : {};
    this.pino[level](
      { ...(context !== undefined && { context }), ...stack },
      message instanceof Error ? message.message : String(message),
    );
  }
}

/** `ExceptionHandler` has level debug too: its errors are also thrown, and the caller reports them. */
const frameworkContexts = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

/** Nest passes the name of the logging class last. */
function contextOf(rest: readonly unknown[]): string | undefined {
  const last = rest.at(-1);
  return typeof last === 'string' ? last : undefined;
}
