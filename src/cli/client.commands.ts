import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { ClientSettings } from '../config/client.settings.js';
import { ConfigurationError } from '../config/configuration-error.js';
import { validateSettings } from '../config/validation/validation.js';
import { AdminClient } from './admin.client.js';
import { maintain, remove, showUsage } from './maintenance.js';
import { addSettings, optionsHelp, textOf } from './setting-options.js';
import { StartError } from './start-error.js';
import { warm } from './warm.js';

type Task = () => Promise<number>;

/** Adds the commands that talk to a running mirror. @param choose gets what the arguments ask for */
export function addClientCommands(program: Command, choose: (task: Task) => void): void {
  const add = (usage: string, description: string) => addCommand(program, usage, description);
  const pull = add('warm [image...]', 'let a running mirror pull images, so that they are there when they are wanted')
    .option('--platform <os/arch>', 'only this platform of an image; any number of times', collect)
    .option('--file <file>', 'file with further images, one a line; - for standard input');
  pull.action((images: string[]) => {
    const { platform = [], file } = pull.opts<{ platform?: string[]; file?: string }>();
    choose(() => warm(...connect(pull), imagesOf(images, file), platform));
  });
  const usage = add('usage', 'show how much a running mirror has stored');
  usage.option('--repositories', 'and how much for each repository');
  usage.action(() => {
    const { repositories } = usage.opts<{ repositories?: boolean }>();
    choose(() => showUsage(...connect(usage), repositories === true));
  });
  for (const [work, description] of [
    ['sweep', 'let a running mirror remove what is unused for too long, or too much'],
    ['scrub', 'let a running mirror compare everything that it has stored with its digests'],
  ] as const) {
    const command = add(work, description);
    command.action(() => choose(() => maintain(...connect(command), work)));
  }
  const removal = add('remove <image...>', 'remove images, or blobs named by digest, from a running mirror');
  removal.action((images: string[]) => choose(() => remove(...connect(removal), images)));
  const own = [pull, usage].map((command) => `\nOptions of ${command.name()}:\n${ownOptions(command)}`).join('\n');
  program.addHelpText('after', `\nOptions of warm, usage, sweep, scrub and remove:\n${optionsHelp(removal)}\n${own}`);
}

function addCommand(program: Command, usage: string, description: string): Command {
  const command = program
    .command(usage)
    .description(description)
    .helpOption('--help', 'print this help')
    // The server's options mean nothing here.
    .configureHelp({ showGlobalOptions: false });
  return addSettings(command, ClientSettings);
}

/** @throws ConfigurationError */
function connect(command: Command): [AdminClient, ClientSettings] {
  const text = textOf(ClientSettings, command.opts());
  const { value, problems } = validateSettings(ClientSettings, text, (name) => `--${name}`);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return [new AdminClient(value), value];
}

/** @throws StartError when there are none, or the file cannot be read. */
function imagesOf(images: readonly string[], file: string | undefined): string[] {
  const all = [...images, ...(file === undefined ? [] : listed(file))];
  if (all.length === 0) throw new StartError('there is no image to pull: name some, or give a --file');
  return all;
}

function listed(file: string): string[] {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim())
      .filter((line) => line !== '');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new StartError(`--file: cannot be read: ${code}`);
  }
}

function ownOptions(command: Command): string {
  const common = new Set(addSettings(command.createCommand('x'), ClientSettings).options.map(({ long }) => long));
  return optionsHelp(command)
    .split('\n')
    .filter((line) => !common.has(line.trim().split(' ')[0]))
    .join('\n');
}

function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}
