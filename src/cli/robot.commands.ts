import type { Command } from 'commander';
import { parseDuration } from '../config/values/duration.js';
import { StartError } from './start-error.js';

/** A change to the robots file, or a look at it. */
export type RobotTask =
  | { readonly kind: 'add' | 'rotate'; readonly name: string; readonly lifetime: number | undefined }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'list' };

/** Adds `robot add|list|remove|rotate`. @param choose receives the task and the file, from the access file unless given */
export function addRobotCommands(program: Command, choose: (task: RobotTask, file: string | undefined) => void): void {
  const robot = program
    .command('robot')
    .description('keep the robots file: accounts of machines')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false);
  const add = (usage: string, description: string) =>
    robot
      .command(usage)
      .description(description)
      .helpOption('-h, --help', 'print this help')
      .option('--file <file>', 'the robots file; that of --access-file unless given');
  for (const [kind, description] of [
    ['add', 'add a robot and print its secret, once'],
    ['rotate', 'give a robot a new secret and print it, once; the old one ends'],
  ] as const) {
    const command = add(`${kind} <name>`, description).option('--expires <duration>', 'when it ends, such as 90d');
    command.action((name: string) => {
      const { file, expires } = command.opts<{ file?: string; expires?: string }>();
      choose({ kind, name, lifetime: expires === undefined ? undefined : readDuration(expires) }, file);
    });
  }
  const remove = add('remove <name>', 'remove a robot; its tokens end within five minutes');
  remove.action((name: string) => choose({ kind: 'remove', name }, remove.opts<{ file?: string }>().file));
  const list = add('list', 'list the robots and when they end');
  list.action(() => choose({ kind: 'list' }, list.opts<{ file?: string }>().file));
}

function readDuration(text: string): number {
  const duration = parseDuration(text);
  if (duration === undefined || duration <= 0) throw new StartError('--expires must be a duration such as 90d');
  return duration;
}
