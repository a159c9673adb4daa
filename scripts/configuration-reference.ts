/** Prints docs/configuration.md from the settings classes: `npm run docs`. A test compares the file with it. */
import 'reflect-metadata';
import { ServerSettings } from '../src/config/server.settings.js';
import { settingsOf, type Setting } from '../src/config/validation/setting.decorator.js';
import { storageClasses } from '../src/config/storage.settings.js';
import { EndpointSettings, UpstreamSettings } from '../src/config/upstream.settings.js';

const code = (text: string | undefined) => (text === undefined ? '' : `\`${text}\``);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function flags(settings: readonly Setting[]): string {
  const row = ({ name, value, env, default: shown, description }: Setting) => [
    code(`--${name}${value === undefined ? '' : ` <${value}>`}`),
    code(env),
    code(shown),
    description,
  ];
  return table(['flag', 'variable', 'default', 'meaning'], settings.map(row));
}

function keys(settings: readonly Setting[]): string {
  const row = ({ name, alias, default: shown, description }: Setting) => [
    code(name),
    code(shown),
    alias === undefined ? description : `${description}; also accepted as ${code(alias)}`,
  ];
  return table(['key', 'default', 'meaning'], settings.map(row));
}

export function configurationReference(): string {
  const endpoint = settingsOf(EndpointSettings).map(({ name }) => name);
  const own = settingsOf(UpstreamSettings).filter(({ name }) => !endpoint.includes(name));
  return `# Configuration

Made by \`npm run docs\` from the settings classes. A flag counts before its variable, an empty variable counts as unset,
booleans are \`true\`, \`false\`, \`1\` or \`0\`, durations are written \`30s\`, \`1h 30m\` or \`14d\`, sizes \`32MiB\` or \`1GB\`.
Every mistake is reported at once, and the program ends with exit code 2.

## The process

${flags(settingsOf(ServerSettings))}

${Object.entries(storageClasses)
  .map(([name, type]) => `## \`${name}\`\n\n${flags(settingsOf(type))}`)
  .join('\n\n')}

## The upstream file

A YAML list; [example.yaml](../example.yaml) shows every key in its place. \`namespace\` and \`host\` are required.

${keys(own)}

### Where it answers

The keys of an upstream, and of each entry of \`fallback_hosts\`:

${keys(settingsOf(EndpointSettings))}

\`UPSTREAM_CREDENTIALS\` is a JSON map from namespace, or fallback host, to \`{"username", "password"}\`; it is merged over
the file. \`HTTPS_PROXY\`, \`HTTP_PROXY\` and \`NO_PROXY\` work as usual; behind a proxy, registries that are not configured
are only mirrored when \`--allow-namespaces\` lists them.
`;
}

if (process.argv[1] === import.meta.filename) process.stdout.write(configurationReference());
