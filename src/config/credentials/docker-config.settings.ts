import { readFileSync, statSync } from 'node:fs';
import { IsOptional } from 'class-validator';
import { IsText } from '../validation/rules.js';
import { Setting } from '../validation/setting.decorator.js';
import { DockerConfig, maxConfigBytes } from './docker/docker.config.js';

/** `docker_config`: a file that `docker login` writes, or a pull secret of Kubernetes. */
export class DockerConfigSettings {
  @Setting({
    name: 'file',
    description:
      'a `config.json` of Docker, an `auth.json` of Podman, or a pull secret of Kubernetes; read again when it changes. Without it, the variable DOCKER_AUTH_CONFIG, then `config.json` in the folder DOCKER_CONFIG, by default `~/.docker`',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  file?: string;

  /** What is wrong with the file that is named; the other places need not be there. */
  mistakes(): { name: string; kind: string; reason: string }[] {
    if (typeof this.file !== 'string') return [];
    try {
      check(this.file);
      return [];
    } catch (error) {
      return [{ name: 'file', kind: 'a file', reason: reasonOf(error) }];
    }
  }
}

function check(file: string): void {
  const stats = statSync(file);
  if (stats.isDirectory()) throw new Error('is a folder: name the file in it, such as .dockerconfigjson');
  if (!stats.isFile()) throw new Error('is not a regular file');
  if (stats.size > maxConfigBytes) throw new Error('is larger than 1 MiB');
  DockerConfig.parse(readFileSync(file, 'utf8'));
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'cannot be read';
  // The message of the system repeats the path, which may be a secret that was set in its place.
  return 'code' in error ? `cannot be read: ${String(error.code)}` : error.message;
}
