import { Command, CommanderError } from 'commander';
import type { CheckResult } from '../config/check.js';
import { ClientSettings } from '../config/client.settings.js';
import { ConfigurationError } from '../config/configuration-error.js';
import { ServerSettings } from '../config/server.settings.js';
import { loadSettings, type Settings } from '../config/settings.js';
import { storageClasses, type StorageName } from '../config/storage.settings.js';
import { version } from '../config/version.js';
import { addClientCommands } from './client.commands.js';
import { reportDoctor } from './doctor.report.js';
import { addSettings, optionsHelp, textOf, withBooleans, type Flags } from './setting-options.js';
import { StartError } from './start-error.js';

const usageError = 2;

/** What the program can do besides talking to another one, which needs most of it. */
export interface Commands {
  /** Starts the server and resolves with the exit code when it has ended. */
  serve(settings: Settings): Promise<number>;
  /** Looks whether the server could work. */
  doctor(settings: Settings): AsyncIterable<CheckResult>;
}

/** What the arguments ask for. @returns the exit code */
type Task = () => Promise<number>;

/**
 * Runs the program for its arguments.
 * @returns the exit code: 0 when all went well, 1 when some of it did not, 2 when the arguments, the configuration or
 * its surroundings are wrong.
 */
export async function runCommandLine(argv: readonly string[], commands: Commands): Promise<number> {
  try {
    // The S3 client warns on standard error that versions after the one in the lock file want a newer Node.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
    return (await readCommandLine(argv, commands)?.()) ?? 0;
  } catch (error) {
    if (!(error instanceof ConfigurationError) && !(error instanceof StartError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return usageError;
  }
}

/** Undefined when the arguments asked for help or the version, which have been printed. */
function readCommandLine(argv: readonly string[], commands: Commands): Task | undefined {
  let task: Task | undefined;
  const program = makeProgram();
  const load = (name: StorageName, flags: Flags) =>
    loadSettings({
      server: textOf(ServerSettings, program.opts()),
      storage: { name, text: textOf(storageClasses[name], flags) },
    });
  addStorageCommands(program, true, (name, flags) => {
    task = () => commands.serve(load(name, flags));
  });
  const doctor = program
    .command('doctor')
    .description('check configuration, storage and upstreams; takes the options and the storage of the server')
    .helpOption('--help', 'print this help')
    .helpCommand(false)
    .option('--json [boolean]', 'print one JSON object a line, for programs');
  addStorageCommands(doctor, false, (name, flags) => {
    const { json } = doctor.opts<{ json?: string }>();
    task = () => reportDoctor(() => commands.doctor(load(name, flags)), json !== undefined && json !== 'false');
  });
  addClientCommands(program, (client) => (task = client));
  try {
    const classes = [ServerSettings, ClientSettings, ...Object.values(storageClasses)];
    program.parse(withBooleans(argv, classes), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has printed help, version, or what is wrong.
    if (error.exitCode === 0) return undefined;
    throw new StartError('see oci-registry --help');
  }
  return task;
}

function makeProgram(): Command {
  const program = new Command('oci-registry')
    .description('Pull-through mirror for container images from any OCI registry')
    .version(version, '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .helpCommand(false)
    .exitOverride()
    // A mistyped option is quoted with what was assigned to it, which may be a secret.
    .configureOutput({ outputError: (text, write) => write(text.replace(/=.*'/s, "=…'")) })
    .configureHelp({ showGlobalOptions: true });
  return addSettings(program, ServerSettings);
}

const storageCommands: readonly { name: StorageName; description: string; isDefault: boolean }[] = [
  { name: 'filesystem', description: 'keep content in a folder (the default)', isDefault: true },
  {
    name: 's3',
    description: 'keep content in a bucket of Amazon S3 or of a server that speaks its protocol',
    isDefault: false,
  },
  { name: 'custom', description: 'keep content in a storage that a module of yours provides', isDefault: false },
];

/** @param isTold whether the help of the parent tells of their options, too. */
function addStorageCommands(parent: Command, isTold: boolean, choose: (name: StorageName, flags: Flags) => void): void {
  for (const { name, description, isDefault } of storageCommands) {
    const command = parent
      .command(name, { isDefault })
      .description(description)
      .helpOption('--help', 'print this help')
      .action(() => choose(name, command.opts()));
    addSettings(command, storageClasses[name]);
    if (isTold) parent.addHelpText('after', () => `\nOptions of ${name}:\n${optionsHelp(command)}`);
  }
}
