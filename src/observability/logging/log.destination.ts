import type { DestinationStream } from 'pino';
import type { ServerSettings } from '../../config/server.settings.js';
import { standardOutput } from './standard.output.js';

/**
 * Where log lines go: as JSON, or pretty-printed on a terminal unless `--log-format` says otherwise.
 * @param given replaces standard output, as tests do.
 */
export async function logDestination(
  { logFormat }: Pick<ServerSettings, 'logFormat'>,
  given?: DestinationStream,
): Promise<DestinationStream> {
  const isTerminal = given === undefined && process.stdout.isTTY;
  if ((logFormat ?? (isTerminal ? 'pretty' : 'json')) === 'json') return given ?? standardOutput();
  // JSON logging does not need it in memory.
  const { default: printer } = await import('pino-pretty');
  const pretty = printer.prettyFactory({
    colorize: isTerminal,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    // The field `error` is a sentence here, not an object with a stack.
    errorLikeObjectKeys: [],
  });
  const output: DestinationStream = given ?? process.stdout;
  return { write: (line) => output.write(pretty(line)) };
}
