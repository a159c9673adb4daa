import type { DestinationStream } from 'pino';
import type { ServerSettings } from '../../config/server.settings.js';

/**
 * Where log lines go: as they are, or, on a terminal unless `--log-format` says otherwise, made pretty for people.
 * @param given replaces standard output, as tests do.
 * @returns undefined for JSON on standard output, which pino writes fastest by itself.
 */
export async function logDestination(
  { logFormat }: Pick<ServerSettings, 'logFormat'>,
  given?: DestinationStream,
): Promise<DestinationStream | undefined> {
  const isTerminal = given === undefined && process.stdout.isTTY;
  if ((logFormat ?? (isTerminal ? 'pretty' : 'json')) === 'json') return given;
  // Nobody who logs JSON needs it in memory.
  const { default: printer } = await import('pino-pretty');
  const pretty = printer.prettyFactory({
    colorize: isTerminal,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    // Ours under `error` is a sentence, not an object with a stack.
    errorLikeObjectKeys: [],
  });
  const output: DestinationStream = given ?? process.stdout;
  return { write: (line) => output.write(pretty(line)) };
}
