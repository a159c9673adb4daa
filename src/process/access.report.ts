import { AccessRules, type RuleText } from '../access/rules/access.rules.js';
import { namedIdentity } from '../access/rules/identity.js';
import type { AccessSettings } from '../config/access/access.settings.js';
import { rights } from '../config/access/rule.settings.js';
import type { AccessQuestion } from '../cli/access.commands.js';
import type { Settings } from '../config/settings.js';
import { StartError } from '../cli/start-error.js';
import { parseImageReference } from '../oci/image-reference.js';
import { OciError } from '../oci/error.js';
import { Namespace } from '../oci/namespace.js';
import type { RepositoryRef } from '../oci/repository.js';
import { accessWarnings } from './access.warnings.js';

/**
 * Prints the answer to a question about access, and what in the rules has no effect.
 * @returns 1 when it is denied. @throws StartError when the name of the repository is not valid
 */
export async function reportAccess(settings: Settings, question: AccessQuestion): Promise<number> {
  for (const warning of await accessWarnings(settings)) process.stderr.write(`warning: ${warning}\n`);
  const { lines, exitCode } = question.about
    ? checkAccess(settings, question, question.about)
    : listAccess(settings, question);
  process.stdout.write(`${lines.join('\n')}\n`);
  return exitCode;
}

interface Answer {
  readonly lines: readonly string[];
  readonly exitCode: number;
}

function checkAccess(settings: Settings, subject: AccessQuestion, about: NonNullable<AccessQuestion['about']>): Answer {
  const access = accessOf(settings);
  const repository = repositoryOf(settings, about.repository);
  const decision = new AccessRules(access.rules).decide(namedIdentity(subject, access.groups), about.right, repository);
  const question = `${subject.as} may ${decision.isAllowed ? '' : 'not '}${about.right} ${repository.toString()}`;
  const reason = decision.isAllowed ? `access.rules[${decision.rule - 1}] allows it` : 'no rule allows it';
  return { lines: [`${question}: ${reason}`], exitCode: decision.isAllowed ? 0 : 1 };
}

/** As clients resolve names. */
function repositoryOf({ server, upstreams, hosted }: Settings, name: string): RepositoryRef {
  const configured = new Set([...upstreams, ...hosted].map(({ namespace }) => Namespace.parse(namespace).toString()));
  try {
    return parseImageReference(name, { defaultNamespace: server.defaultNamespace, configured }).repository;
  } catch (error) {
    if (error instanceof OciError) throw new StartError(error.message);
    throw error;
  }
}

/** Everything that someone may do, rule by rule. */
function listAccess(settings: Settings, subject: AccessQuestion): Answer {
  const access = accessOf(settings);
  const allowances = new AccessRules(access.rules).allowancesOf(namedIdentity(subject, access.groups));
  const lines = allowances.map(({ rule, repository, rights: own }) => {
    const inOrder = rights.filter((right) => own.includes(right)).join(', ');
    return `access.rules[${rule - 1}]  ${repository}  ${inOrder}`;
  });
  return { lines: lines.length === 0 ? [`${subject.as} may do nothing`] : lines, exitCode: 0 };
}

/** Without an access file, everybody may pull, and push where that is allowed. */
function accessOf({
  access,
  server,
  hosted,
}: Settings): Pick<AccessSettings, 'groups'> & { readonly rules: readonly RuleText[] } {
  if (access) return access;
  const rules: RuleText[] = [{ repositories: ['**'], who: ['anonymous'], may: ['pull'] }];
  const own = hosted.map(({ namespace }) => `${namespace}/**`);
  if (server.allowAnonymousPush && own.length > 0)
    rules.push({ repositories: own, who: ['anonymous'], may: ['push', 'delete'] });
  return { groups: {}, rules };
}
