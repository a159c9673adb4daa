import type { Command } from 'commander';
import { ConfigurationError } from '../../config/configuration-error.js';
import { RegistryClientSettings } from '../../config/registry-client.settings.js';
import { validateSettings } from '../../config/validation/validation.js';
import { parsePlatform, type Platform } from '../../oci/platform.js';
import { addSettings, helpFlags, optionsHelp, textOf, variablesOf } from '../setting-options.js';
import { StartError } from '../start-error.js';

interface Flags {
  readonly from?: readonly string[];
  readonly repository?: readonly string[];
  readonly tag?: readonly string[];
  readonly platform?: readonly string[];
}

/** Adds the commands that move images into a running server and out of it. @param choose receives the selected task */
export function addMovingCommands(program: Command, choose: (task: () => Promise<number>) => void): void {
  const taking = program
    .command('import <source...>')
    .usage('[options] SOURCE… NAMESPACE/REPOSITORY[:TAG]')
    .description(
      'push images to a running server: from OCI layouts and docker save archives (folder, .tar, .tar.gz), ' +
        'from the storage folder of registry 2 and 3, or --from another registry; NAMESPACE/ keeps their names',
    )
    .option(
      '--from <image>',
      'take registry/repository[:tag|@digest] instead of a SOURCE, as the server sees it; repeatable',
      collect,
    )
    .option(
      '--repository <pattern>',
      'only these repositories of a storage folder, such as team/**; repeatable',
      collect,
    );
  addCommon(taking, 'only images with this tag, in which * stands for any characters; repeatable');
  taking.action((words: string[]) => {
    const { from = [], repository = [], tag = [], platform = [] } = taking.opts<Flags>();
    const destination = words.at(-1) ?? '';
    const sources = words.slice(0, -1);
    if (sources.length + from.length === 0) throw new StartError('give a SOURCE before the destination, or --from');
    const platforms = platformsOf(platform);
    const settings = settingsOf(taking);
    const options = { sources, from, destination, repositories: repository, tags: tag, platforms };
    choose(async () => (await import('./import.js')).importImages(settings, options));
  });
  const giving = program
    .command('export <image> <destination>')
    .usage('[options] NAMESPACE/REPOSITORY[:TAG|@DIGEST] DESTINATION')
    .description(
      'write images of a running server, with what refers to them, to an OCI layout: a folder, or a file that ends with .tar; ' +
        'without a tag, all of the repository',
    );
  addCommon(giving, 'only tags of this pattern; repeatable');
  giving.action((image: string, destination: string) => {
    const { tag = [], platform = [] } = giving.opts<Flags>();
    const platforms = platformsOf(platform);
    const settings = settingsOf(giving);
    choose(async () =>
      (await import('./export.js')).exportImages(settings, { image, destination, tags: tag, platforms }),
    );
  });
  const own = (command: Command) => optionsHelp(command, RegistryClientSettings);
  program.addHelpText(
    'after',
    `\nOptions of import and export:\n${optionsHelp(addSettings(program.createCommand('x'), RegistryClientSettings))}\n` +
      `\nOptions of import:\n${own(taking)}\n\nOptions of export:\n${own(giving)}`,
  );
}

function addCommon(command: Command, tags: string): void {
  command
    .helpOption(helpFlags, 'print this help')
    .configureHelp({ showGlobalOptions: false })
    .option('--tag <pattern>', tags, collect)
    .option('--platform <os/arch>', 'only this platform of an image; repeatable', collect);
  addSettings(command, RegistryClientSettings);
}

/** @throws ConfigurationError */
function settingsOf(command: Command): RegistryClientSettings {
  const text = textOf(RegistryClientSettings, command.opts());
  const variables = new Map(variablesOf(RegistryClientSettings, command.opts()));
  const nameOf = (name: string) => variables.get(`--${name}`) ?? `--${name}`;
  const { value, problems } = validateSettings(RegistryClientSettings, text, nameOf);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return value;
}

/** @throws StartError */
function platformsOf(texts: readonly string[]): Platform[] {
  return texts.map((text) => {
    const platform = parsePlatform(text);
    if (!platform) throw new StartError('--platform must be such as linux/arm64 or linux/arm/v7');
    return platform;
  });
}

function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}
