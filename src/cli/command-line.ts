import { Command, CommanderError } from 'commander';
import type { CheckResult } from '../config/check.js';
import { ClientSettings } from '../config/client.settings.js';
import { RegistryClientSettings } from '../config/registry-client.settings.js';
import { ConfigurationError } from '../config/configuration-error.js';
import { ServerSettings } from '../config/server.settings.js';
import { loadSettings, type Settings } from '../config/settings.js';
import { storageClasses, type StorageName } from '../config/storage.settings.js';
import { settingsOf } from '../config/validation/setting.decorator.js';
import { version } from '../config/version.js';
import { addAccessCommands, type AccessQuestion } from './access.commands.js';
import { didYouMean, nearestName } from '../config/validation/nearest-name.js';
import { addClientCommands } from './client.commands.js';
import { reportDoctor } from './doctor.report.js';
import { addMovingCommands } from './moving/moving.commands.js';
import { addRobotCommands, type RobotTask } from './robot.commands.js';
import {
  addSettings,
  helpFlags,
  misspeltVariables,
  optionsHelp,
  textOf,
  variablesOf,
  withBooleans,
  type Flags,
} from './setting-options.js';
import { StartError } from './start-error.js';

const usageError = 2;
const seeHelp = 'see oci-registry --help';
const allClasses = [ServerSettings, ClientSettings, RegistryClientSettings, ...Object.values(storageClasses)];

/** The commands that need the server's code. */
export interface Commands {
  /** Runs the server and resolves to the exit code. */
  serve(settings: Settings): Promise<number>;
  /** Checks whether the server could run. */
  doctor(settings: Settings): AsyncIterable<CheckResult>;
  /** Prints the answer to a question about access. @returns the exit code: 1 when it is denied */
  access(settings: Settings, question: AccessQuestion): Promise<number>;
  /** Does what a robot command says. @returns the lines to print */
  robot(task: RobotTask, file: string): Promise<string[]>;
  /** Called before anything but the server runs. */
  beforeOthers?(): void;
}

/** The selected command. @returns the exit code */
type Task = () => Promise<number>;

/**
 * Runs the program for its arguments.
 * @returns the exit code: 0 on success, 1 on partial failure, 2 when the arguments, the configuration or the environment
 * is invalid.
 */
export async function runCommandLine(argv: readonly string[], commands: Commands): Promise<number> {
  try {
    // Silences the S3 client's warning that later versions require a newer Node.js.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
    return (await readCommandLine(argv, commands)?.()) ?? 0;
  } catch (error) {
    if (!(error instanceof ConfigurationError) && !(error instanceof StartError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return usageError;
  }
}

/** Undefined when help or the version has been printed. */
function readCommandLine(argv: readonly string[], commands: Commands): Task | undefined {
  let task: Task | undefined;
  const selected = { isServer: false };
  const program = makeProgram();
  const load = (name: StorageName, flags: Flags) =>
    loadSettings({
      server: textOf(ServerSettings, program.opts()),
      storage: { name, text: textOf(storageClasses[name], flags) },
      variables: new Map([
        ...variablesOf(ServerSettings, program.opts()),
        ...variablesOf(storageClasses[name], flags, `${name} `),
      ]),
      warnings: misspeltVariables(allClasses),
    });
  addStorageCommands(program, true, (name, flags) => {
    selected.isServer = true;
    task = () => commands.serve(load(name, flags));
  });
  const doctor = program
    .command('doctor')
    .description('check configuration, storage and upstreams; accepts the options and storage commands of the server')
    .helpOption(helpFlags, 'print this help')
    .helpCommand(false)
    .option('--json [boolean]', 'print one JSON object per line');
  addStorageCommands(doctor, false, (name, flags) => {
    const { json } = doctor.opts<{ json?: string }>();
    const examine = () => {
      const settings = load(name, flags);
      return { warnings: settings.warnings ?? [], results: commands.doctor(settings) };
    };
    task = () => reportDoctor(examine, json !== undefined && json !== 'false');
  });
  addAccessCommands(program, (question) => {
    task = () => commands.access(load('filesystem', {}), question);
  });
  addRobotCommands(program, (robot, file) => {
    task = async () => {
      const path = file ?? load('filesystem', {}).access?.robotsFile;
      if (path === undefined) throw new StartError('give the robots file as --file, or the access file that names it');
      process.stdout.write(`${(await commands.robot(robot, path)).join('\n')}\n`);
      return 0;
    };
  });
  addClientCommands(program, (client) => (task = client));
  addMovingCommands(program, (moving) => (task = moving));
  try {
    program.parse(withBooleans(argv, allClasses), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has already printed the help, the version or the error.
    if (error.exitCode === 0) return undefined;
    throw new StartError(seeHelp);
  }
  if (!selected.isServer) commands.beforeOthers?.();
  return task;
}

function makeProgram(): Command {
  const program = new Command('oci-registry')
    .description('Pull-through mirror for container images from any OCI registry')
    .version(version, '-V, --version', 'print the version')
    .helpOption(helpFlags, 'print this help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(explain(text)) })
    .configureHelp({ showGlobalOptions: true });
  return addSettings(program, ServerSettings);
}

/**
 * Commander quotes a mistyped option with its value, which may be a secret and keeps it from suggesting another, and does
 * not tell whose option it is.
 */
function explain(text: string): string {
  const [, option] = /unknown option '--([a-z0-9-]+)/.exec(text) ?? [];
  return text.replace(/=.*'/s, "=…'") + (option === undefined ? '' : hintOn(option, text.includes('Did you mean')));
}

function hintOn(option: string, hasSuggestion: boolean): string {
  const all = [
    { owner: 'the server', type: ServerSettings },
    ...storageCommands.map(({ name }) => ({ owner: name, type: storageClasses[name] })),
    { owner: 'the commands for a running server', type: ClientSettings },
    { owner: 'import and export', type: RegistryClientSettings },
  ].map(({ owner, type }) => ({ owner, names: settingsOf(type).map(({ name }) => name) }));
  const owners = all.filter(({ names }) => names.includes(option)).map(({ owner }) => owner);
  if (owners.length > 0) return `--${option} is an option of ${owners.join(' and ')}\n`;
  const nearest = hasSuggestion
    ? undefined
    : nearestName(
        option,
        all.flatMap(({ names }) => names),
      );
  return nearest === undefined ? '' : `(Did you mean --${nearest}?)\n`;
}

/** The word is not repeated: it may be a secret. */
function unknownCommand(word: string, parent: Command): string {
  const names = parent.commands.map((command) => command.name());
  const nearest = nearestName(word, names);
  return `unknown command or argument${didYouMean(nearest)}${nearest === undefined ? `: the commands are ${names.join(', ')}` : ''}\n${seeHelp}`;
}

const storageCommands: readonly { name: StorageName; description: string; isDefault: boolean }[] = [
  { name: 'filesystem', description: 'store content in a directory (default)', isDefault: true },
  {
    name: 's3',
    description: 'store content in a bucket of Amazon S3 or a compatible service',
    isDefault: false,
  },
  { name: 'custom', description: 'store content with an external storage provider', isDefault: false },
];

/** @param isListed whether the help of the parent lists their options. */
function addStorageCommands(
  parent: Command,
  isListed: boolean,
  choose: (name: StorageName, flags: Flags) => void,
): void {
  for (const { name, description, isDefault } of storageCommands) {
    const command = parent
      .command(name, { isDefault })
      .description(description)
      .helpOption(helpFlags, 'print this help')
      .allowExcessArguments()
      .action(() => {
        if (command.args.length > 0) throw new StartError(unknownCommand(command.args[0] ?? '', parent));
        choose(name, command.opts());
      });
    addSettings(command, storageClasses[name]);
    if (isListed) parent.addHelpText('after', () => `\nOptions of ${name}:\n${optionsHelp(command)}`);
  }
}
