import { IsOptional } from 'class-validator';
import { parseDuration } from '../values/duration.js';
import { parseSize } from '../values/size.js';
import { AreMaps, AreTagPatterns, IsDuration, IsFlag, IsRegistryHost, IsSize } from '../validation/rules.js';
import { parseBoolean, Setting } from '../validation/setting.decorator.js';
import type { KeepSettings } from './keep.settings.js';
import type { QuotaSettings } from './quota.settings.js';

/** One hosted entry of the upstream file: a namespace whose content is pushed here. Durations are in milliseconds. */
export class HostedSettings {
  @Setting({
    name: 'namespace',
    description: 'name under which clients know this server, or any other name, such as `local`',
  })
  @IsRegistryHost()
  namespace!: string;

  @Setting({
    name: 'hosted',
    default: 'false',
    parse: parseBoolean,
    description: 'true: content is pushed here, and there is no upstream',
  })
  @IsFlag()
  hosted = true;

  @Setting({
    name: 'immutable_tags',
    default: '[]',
    description:
      'tags that can be created and never be moved or deleted by a push: patterns in which * stands for any characters',
  })
  @AreTagPatterns()
  immutableTags: string[] = [];

  @Setting({
    name: 'keep',
    default: '[]',
    description:
      'rules that keep tags: maps with repositories, tags, last, pushed_within and pulled_within; garbage collection removes the tags that some rule is about and none keeps',
  })
  @AreMaps()
  keep: KeepSettings[] = [];

  @Setting({
    name: 'untagged',
    parse: parseDuration,
    description: 'how long a manifest is kept that has no tag, no live index and no live subject; unlimited unless set',
  })
  @IsOptional()
  @IsDuration()
  untagged?: number;

  @Setting({
    name: 'max_size',
    parse: parseSize,
    description:
      'maximum size of what the namespace holds, each content counted once however many repositories have it; a push beyond it is refused',
  })
  @IsOptional()
  @IsSize()
  maxSize?: number;

  @Setting({
    name: 'quotas',
    default: '[]',
    description:
      'limits on what some repositories hold together: maps with repositories, a pattern of names within the namespace such as `team/**`, and max_size; each that matches counts',
  })
  @AreMaps()
  quotas: QuotaSettings[] = [];

  @Setting({
    name: 'deletes',
    default: 'true',
    parse: parseBoolean,
    description: 'whether clients may delete tags, manifests and blobs',
  })
  @IsFlag()
  deletes = true;

  @Setting({
    name: 'sparse_indexes',
    default: 'false',
    parse: parseBoolean,
    description: 'accept an index although manifests that it lists are missing',
  })
  @IsFlag()
  sparseIndexes = false;
}
