import { Command, CommanderError } from 'commander';
import type { CheckResult } from '../config/check.js';
import { ClientSettings } from '../config/client.settings.js';
import { ConfigurationError } from '../config/configuration-error.js';
import { ServerSettings } from '../config/server.settings.js';
import { loadSettings, type Settings } from '../config/settings.js';
import { storageClasses, type StorageName } from '../config/storage.settings.js';
import { version } from '../config/version.js';
import { addAccessCommands, type AccessQuestion } from './access.commands.js';
import { addClientCommands } from './client.commands.js';
import { reportDoctor } from './doctor.report.js';
import { addSettings, optionsHelp, textOf, withBooleans, type Flags } from './setting-options.js';
import { StartError } from './start-error.js';

const usageError = 2;

/** The commands that need the server's code. */
export interface Commands {
  /** Runs the server and resolves to the exit code. */
  serve(settings: Settings): Promise<number>;
  /** Checks whether the server could run. */
  doctor(settings: Settings): AsyncIterable<CheckResult>;
  /** Prints the answer to a question about access. @returns the exit code: 1 when it is denied */
  access(settings: Settings, question: AccessQuestion): Promise<number>;
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
    .description('check configuration, storage and upstreams; accepts the options and storage commands of the server')
    .helpOption('--help', 'print this help')
    .helpCommand(false)
    .option('--json [boolean]', 'print one JSON object per line');
  addStorageCommands(doctor, false, (name, flags) => {
    const { json } = doctor.opts<{ json?: string }>();
    task = () => reportDoctor(() => commands.doctor(load(name, flags)), json !== undefined && json !== 'false');
  });
  addAccessCommands(program, (question) => {
    task = () => commands.access(load('filesystem', {}), question);
  });
  addClientCommands(program, (client) => (task = client));
  try {
    const classes = [ServerSettings, ClientSettings, ...Object.values(storageClasses)];
    program.parse(withBooleans(argv, classes), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has already printed the help, the version or the error.
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
    // Commander quotes a mistyped option with its value, which may be a secret.
    .configureOutput({ outputError: (text, write) => write(text.replace(/=.*'/s, "=…'")) })
    .configureHelp({ showGlobalOptions: true });
  return addSettings(program, ServerSettings);
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
      .helpOption('--help', 'print this help')
      .action(() => choose(name, command.opts()));
    addSettings(command, storageClasses[name]);
    if (isListed) parent.addHelpText('after', () => `\nOptions of ${name}:\n${optionsHelp(command)}`);
  }
}
