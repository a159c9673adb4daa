import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { ConfigurationError } from '../config/configuration-error.js';
import { ServerSettings } from '../config/server.settings.js';
import { settingsOf, type Setting } from '../config/setting.decorator.js';
import { loadSettings, type Settings, type Texts } from '../config/settings.js';
import { storageClasses, type StorageName } from '../config/storage.settings.js';
import { StartError } from './start-error.js';

const usageError = 2;

/**
 * Runs the program for its arguments.
 * @param serve starts the server and resolves when it has ended.
 * @returns the exit code: 0 when all went well, 2 when the configuration or its surroundings are wrong.
 */
export async function runCommandLine(
  argv: readonly string[],
  serve: (settings: Settings) => Promise<void>,
): Promise<number> {
  try {
    const settings = readCommandLine(argv);
    if (settings) await serve(settings);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigurationError) && !(error instanceof StartError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return usageError;
  }
}

/** Undefined when the arguments asked for help or the version, which have been printed. */
function readCommandLine(argv: readonly string[]): Settings | undefined {
  let flags: { server: Flags; name: StorageName; storage: Flags } | undefined;
  const program = new Command('oci-registry')
    .description('Pull-through mirror for container images from any OCI registry')
    .version(versionOfPackage(), '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .helpCommand(false)
    .exitOverride()
    // A mistyped option is quoted with what was assigned to it, which may be a secret.
    .configureOutput({ outputError: (text, write) => write(text.replace(/=.*'/s, "=…'")) })
    .configureHelp({ showGlobalOptions: true })
    .action(() => void (flags = { server: program.opts(), name: 'filesystem', storage: {} }));
  for (const setting of settingsOf(ServerSettings)) program.addOption(optionOf(setting));
  for (const { name, description, isDefault } of storageCommands) {
    const command = program
      .command(name, { isDefault })
      .description(description)
      .helpOption('--help', 'print this help')
      .exitOverride()
      .action(() => void (flags = { server: program.opts(), name, storage: command.opts() }));
    for (const setting of settingsOf(storageClasses[name])) command.addOption(optionOf(setting));
    program.addHelpText('after', () => `\nOptions of ${name}:\n${optionsHelp(command)}`);
  }
  try {
    program.parse(withBooleans(argv), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has printed help, version, or what is wrong.
    if (error.exitCode === 0) return undefined;
    throw new StartError('see oci-registry --help');
  }
  return (
    flags &&
    loadSettings({
      server: textOf(settingsOf(ServerSettings), flags.server),
      storage: { name: flags.name, text: textOf(settingsOf(storageClasses[flags.name]), flags.storage) },
    })
  );
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

type Flags = Readonly<Record<string, unknown>>;

function optionOf({ name, value, description, env, default: fallback, parseEach }: Setting): Option {
  const notes = [env && `env: ${env}`, fallback !== undefined && `default: ${fallback}`].filter(Boolean).join(', ');
  const option = new Option(
    `--${name} ${value === undefined ? '[boolean]' : `<${value}>`}`,
    `${description}${notes && ` (${notes})`}`,
  );
  return parseEach
    ? option.argParser((text, before: readonly string[] | undefined) => [...(before ?? []), text])
    : option;
}

/** The options of a sub-command, for the help of the program: one page tells everything. */
function optionsHelp(command: Command): string {
  const help = command.createHelp();
  const options = help.visibleOptions(command).filter(({ long }) => long !== '--help');
  return options.map((option) => `  ${help.optionTerm(option)}  ${help.optionDescription(option)}`).join('\n');
}

/** A flag counts before its environment variable; an empty variable counts as unset. */
function textOf(settings: readonly Setting[], flags: Flags): Texts {
  const texts = settings.flatMap(({ name, env }) => {
    const flag = flags[camelCase(name)];
    const variable = env === undefined ? undefined : process.env[env];
    if (typeof flag === 'string' || Array.isArray(flag)) return [[name, flag]];
    return variable === undefined || variable === '' ? [] : [[name, variable]];
  });
  return Object.fromEntries(texts) as Texts;
}

/** `--flag` alone means true; without this, commander would take the word after it, a sub-command even, as its value. */
function withBooleans(argv: readonly string[]): string[] {
  const classes = [ServerSettings, ...Object.values(storageClasses)];
  const booleans = new Set(
    classes.flatMap((type) =>
      settingsOf(type).flatMap(({ name, value }) => (value === undefined ? [`--${name}`] : [])),
    ),
  );
  return argv.flatMap((word, index) => {
    const next = argv[index + 1]?.toLowerCase() ?? '';
    return booleans.has(word) && !['true', 'false', '1', '0'].includes(next) ? [`${word}=true`] : [word];
  });
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function versionOfPackage(): string {
  const file = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return file.version;
}
