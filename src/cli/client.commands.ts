import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ClientSettings } from '../config/client.settings.js';
import { ConfigurationError } from '../config/configuration-error.js';
import { validateSettings } from '../config/validation/validation.js';
import { AdminClient } from './admin.client.js';
import { explain, type Subject } from './explaining/explain.js';
import { maintain, refresh, remove, showGarbage, showRemovable, showUsage } from './maintenance.js';
import { addSettings, helpFlags, optionsHelp, textOf, variablesOf } from './setting-options.js';
import { StartError } from './start-error.js';
import { warm } from './warm.js';

type Task = () => Promise<number>;

/** Adds the commands that control a running server. @param choose receives the selected task */
export function addClientCommands(program: Command, choose: (task: Task) => void): void {
  const add = (usage: string, description: string) => addCommand(program, usage, description);
  const pull = add('warm [image...]', 'pull images into the cache of a running server')
    .option('--platform <os/arch>', 'only this platform of an image; repeatable', collect)
    .option('--file <file>', 'file with more images, one per line; - for standard input');
  pull.action((images: string[]) => {
    const { platform = [], file } = pull.opts<{ platform?: string[]; file?: string }>();
    choose(() => warm(...connect(pull), imagesOf(images, file), platform));
  });
  const usage = add('usage', 'show the storage usage of a running server');
  usage.option('--repositories', 'also list the usage of each repository');
  usage.action(() => {
    const { repositories } = usage.opts<{ repositories?: boolean }>();
    choose(() => showUsage(...connect(usage), repositories === true));
  });
  const sweep = add('sweep', 'evict expired and excess content from a running server');
  sweep.option('--dry-run', 'only print what would be removed now, and why');
  sweep.action(() => {
    const { dryRun } = sweep.opts<{ dryRun?: boolean }>();
    choose(() => (dryRun === true ? showRemovable(...connect(sweep)) : maintain(...connect(sweep), 'sweep')));
  });
  const scrub = add('scrub', 'verify the digests of all content stored by a running server');
  scrub.action(() => choose(() => maintain(...connect(scrub), 'scrub')));
  const garbage = add('gc', 'remove what nothing refers to from the hosted namespaces of a running server: a sweep');
  garbage.option('--dry-run', 'only print what would be removed now, and why');
  garbage.action(() => {
    const { dryRun } = garbage.opts<{ dryRun?: boolean }>();
    choose(() => (dryRun === true ? showGarbage(...connect(garbage)) : maintain(...connect(garbage), 'sweep')));
  });
  const removal = add('remove <image...>', 'remove images, or blobs given by digest, from a running server');
  removal.action((images: string[]) => choose(() => remove(...connect(removal), images)));
  const again = add('refresh <image...>', 'ask the upstream about tags now, however fresh they are');
  again.action((images: string[]) => choose(() => refresh(...connect(again), images)));
  const question = add('explain <image>', 'why the last pull of an image ended as it did, and what the next would do')
    .option('--as <identity>', 'whether this identity may pull it: anonymous, user:NAME, robot:NAME, or of an issuer')
    .option('--group <name>', 'a group of the identity beside those of the access file; repeatable', collect)
    .option('--claim <name=value>', 'a claim of the identity; repeatable', collect);
  question.action((image: string) => choose(() => explain(...connect(question), image, question.opts<Subject>())));
  const own = [pull, usage, sweep, garbage, question]
    .map((command) => `\nOptions of ${command.name()}:\n${ownOptions(command)}`)
    .join('\n');
  program.addHelpText(
    'after',
    `\nOptions of warm, usage, sweep, scrub, gc, remove, refresh and explain:\n${optionsHelp(removal)}\n${own}`,
  );
}

function addCommand(program: Command, usage: string, description: string): Command {
  const command = program
    .command(usage)
    .description(description)
    .helpOption(helpFlags, 'print this help')
    // The options of the server do not apply to client commands.
    .configureHelp({ showGlobalOptions: false });
  return addSettings(command, ClientSettings);
}

/** @throws ConfigurationError */
function connect(command: Command): [AdminClient, ClientSettings] {
  const text = textOf(ClientSettings, command.opts());
  const variables = new Map(variablesOf(ClientSettings, command.opts()));
  const nameOf = (name: string) => variables.get(`--${name}`) ?? `--${name}`;
  const { value, problems } = validateSettings(ClientSettings, text, nameOf);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return [new AdminClient(value), value];
}

/** @throws StartError when there are none, or the file cannot be read */
function imagesOf(images: readonly string[], file: string | undefined): string[] {
  const all = [...images, ...(file === undefined ? [] : readList(file))];
  if (all.length === 0) throw new StartError('no images given: list them as arguments or in a --file');
  return all;
}

function readList(file: string): string[] {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim())
      .filter((line) => line !== '');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new StartError(`--file: cannot be read: ${code}: ${resolve(file)}`);
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
