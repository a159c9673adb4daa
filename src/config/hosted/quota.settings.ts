import { parseSize } from '../values/size.js';
import { IsPatternOfNames, IsSize } from '../validation/rules.js';
import { Setting } from '../validation/setting.decorator.js';

/** One entry of a hosted namespace's `quotas`. */
export class QuotaSettings {
  @Setting({
    name: 'repositories',
    description: 'pattern of names within the namespace: * stands for characters within a component, ** for components',
  })
  @IsPatternOfNames()
  repositories!: string;

  @Setting({ name: 'max_size', parse: parseSize, description: 'maximum size of what the repositories hold together' })
  @IsSize()
  maxSize!: number;
}
