import { IsOptional } from 'class-validator';
import { parseDuration } from '../values/duration.js';
import { AreTagPatterns, IsCount, IsDuration, IsPatternOfNames } from '../validation/rules.js';
import { parseInteger, Setting } from '../validation/setting.decorator.js';

/** One entry of a hosted namespace's `keep`. Durations are in milliseconds. */
export class KeepSettings {
  @Setting({
    name: 'repositories',
    default: '**',
    description: 'pattern of names within the namespace: * stands for characters within a component, ** for components',
  })
  @IsPatternOfNames()
  repositories = '**';

  @Setting({
    name: 'tags',
    default: "['*']",
    description: 'the tags that the rule is about: patterns in which * stands for any characters',
  })
  @AreTagPatterns()
  tags: string[] = ['*'];

  @Setting({
    name: 'last',
    parse: parseInteger,
    description: 'keeps as many of these tags in each repository: those that were pushed last',
  })
  @IsOptional()
  @IsCount(0, 1_000_000)
  last?: number;

  @Setting({ name: 'pushed_within', parse: parseDuration, description: 'keeps tags that were pushed within this time' })
  @IsOptional()
  @IsDuration()
  pushedWithin?: number;

  @Setting({
    name: 'pulled_within',
    parse: parseDuration,
    description: 'keeps tags that were pulled or pushed within this time, by tag or by digest',
  })
  @IsOptional()
  @IsDuration()
  pulledWithin?: number;
}
