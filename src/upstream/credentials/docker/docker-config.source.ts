import type { DockerConfigSettings } from '../../../config/credentials/docker-config.settings.js';
import { configPlaces, type ConfigPlace } from '../../../config/credentials/docker/config.places.js';
import type { DockerConfig, FoundAuth, RegistryAuths } from '../../../config/credentials/docker/docker.config.js';
import { canonicalHost, serverOf } from '../../../config/credentials/docker/registry.key.js';
import {
  CredentialError,
  type CredentialSource,
  type SourceContext,
  type UpstreamCredentials,
} from '../credential.source.js';
import { ConfigReader } from './config.reader.js';
import { Helper } from './helper.js';
import { shownUser } from './shown.user.js';

/**
 * What `docker login` has left: a helper for the registry, or else the helper for all, or else the entry of the file with
 * the longest path that a repository is below.
 */
export class DockerConfigSource implements CredentialSource {
  readonly kind = 'docker_config';
  private readonly readers: readonly ConfigReader[];
  /** In canonical form. */
  private readonly host: string;
  private readonly auths = new WeakMap<DockerConfig, RegistryAuths>();

  /** @param places where to look, in this order */
  constructor({ file }: DockerConfigSettings, { host, clock }: SourceContext, places = configPlaces(file)) {
    this.readers = places.map((place) => new ConfigReader(place, clock));
    this.host = canonicalHost(host) ?? host;
  }

  /** @param part without one, any credentials for the registry: `doctor` asks so */
  async fetch(signal: AbortSignal, part?: string): Promise<UpstreamCredentials | undefined> {
    let isThere = false;
    for (const reader of this.readers) {
      const config = await reader.read(signal);
      isThere ||= config !== undefined;
      const found = config && (await this.find(config, reader.place, part, signal));
      if (found) return found;
    }
    if (!isThere) throw new CredentialError(this.absence());
    return undefined;
  }

  /** The path of the entry that is for a repository; empty for the whole registry. */
  async partOf(repository: string): Promise<string> {
    for (const reader of this.readers) {
      const config = await reader.peek();
      const found = config && this.authsOf(config).find(repository);
      if (found) return found.path;
    }
    return '';
  }

  async mark(): Promise<string> {
    return (await Promise.all(this.readers.map((reader) => reader.markOf()))).join(', ');
  }

  private async find(
    config: DockerConfig,
    place: ConfigPlace,
    part: string | undefined,
    signal: AbortSignal,
  ): Promise<UpstreamCredentials | undefined> {
    const name = this.read(place, () => config.helperFor(this.host));
    // What the helper does not have may be in the file, where other programs have written it.
    const helped = name === undefined ? undefined : await new Helper(name).get(serverOf(this.host), signal);
    if (helped) return { ...helped, identity: `${helped.identity} (${place.name})` };
    const auths = this.authsOf(config);
    const found = part === undefined ? auths.first : auths.find(part);
    return found && this.credentialsOf(found, place);
  }

  private credentialsOf({ path, read }: FoundAuth, place: ConfigPlace): UpstreamCredentials {
    const entry = this.read(place, read);
    const who = entry.kind === 'identity-token' ? 'identity token' : shownUser(entry.username);
    return { ...entry, identity: `${who} of ${place.name}${path === '' ? '' : `, for ${this.host}/${path}`}` };
  }

  private authsOf(config: DockerConfig): RegistryAuths {
    const auths = this.auths.get(config) ?? config.authsFor(this.host);
    this.auths.set(config, auths);
    return auths;
  }

  private read<T>(place: ConfigPlace, part: () => T): T {
    try {
      return part();
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'cannot be read';
      throw new CredentialError(`${place.name} ${reason} (for ${this.host})`);
    }
  }

  private absence(): string {
    const names = this.readers.map(({ place }) => place.name);
    const where = names.length === 0 ? 'no home folder' : `no file ${names.join(' or ')}`;
    return `there is ${where}, and DOCKER_AUTH_CONFIG is not set: set file, or sign in with docker login`;
  }
}
