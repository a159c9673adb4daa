import type { Command } from 'commander';
import { rights, type Right } from '../config/access/rule.settings.js';
import { StartError } from './start-error.js';

/** A question about access, and whom it is about. */
export interface AccessQuestion {
  readonly as: string;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
  /** Undefined to list everything that is allowed. */
  readonly about?: { readonly right: Right; readonly repository: string };
}

interface Flags {
  readonly as?: string;
  readonly group?: readonly string[];
  readonly claim?: readonly string[];
}

/** Adds `access check` and `access list`. @param choose receives the question and where its file is */
export function addAccessCommands(program: Command, choose: (question: AccessQuestion) => void): void {
  const access = program
    .command('access')
    .description('say who may do what by an access file')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false);
  const check = withSubject(access.command('check <right> <repository>')).description(
    'whether someone has a right (pull, push, delete or admin) to a repository, and by which rule; takes the options of the server, such as --access-file and --hosted-namespace, before the command',
  );
  check.action((right: string, repository: string) => {
    if (!(rights as readonly string[]).includes(right))
      throw new StartError(`the right must be one of ${rights.join(', ')}`);
    choose({ ...subjectOf(check.opts()), about: { right: right as Right, repository } });
  });
  const list = withSubject(access.command('list')).description('everything that someone may do');
  list.action(() => choose(subjectOf(list.opts())));
}

function withSubject(command: Command): Command {
  return command
    .helpOption('-h, --help', 'print this help')
    .option('--as <identity>', 'anonymous (default), user:NAME, robot:NAME, or the identity of an issuer')
    .option('--group <name>', 'a group of the identity beside those of the access file; repeatable', collect)
    .option('--claim <name=value>', 'a claim of the identity; repeatable', collect);
}

function subjectOf({ as = 'anonymous', group = [], claim = [] }: Flags): AccessQuestion {
  if (as !== 'anonymous' && !/^[a-z][a-z0-9-]*:.+$/.test(as))
    throw new StartError('--as must be anonymous, or a kind and a name such as user:anna');
  if (as.startsWith('group:')) throw new StartError('--as must be somebody; --group adds a group to an identity');
  const claims = claim.map((text) => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined) throw new StartError('--claim must be name=value');
    return [name, value] as const;
  });
  return { as, groups: group, claims: Object.fromEntries(claims) };
}

function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}
