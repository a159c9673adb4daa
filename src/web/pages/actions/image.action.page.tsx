import { OciError } from '../../../oci/error.js';
import { referenceText } from '../../../oci/typed-reference.js';
import { Untrusted } from '../../components/untrusted.js';
import type { PageContext } from '../../page.context.js';
import type { PageRedirect, PageView } from '../../page.js';
import { operatorOf, type ActionServices } from './action.context.js';
import { Confirmation } from './confirmation.js';
import type { ImageAction } from './image.actions.js';

/** Asks for a confirmation, or shows what came of it. @throws OciError NOT_FOUND for who may not do it */
export function showImageAction(services: ActionServices, action: ImageAction, context: PageContext): PageView {
  const { query, visitor } = context;
  const image = imageOf(services, context, query.get('ref'));
  if (!visitor.may(action.right, image.repository)) throw new OciError('NOT_FOUND');
  const ref = referenceText(image);
  const result = query.get('result');
  const explain = `/_ui/explain?${new URLSearchParams({ ref }).toString()}`;
  // Nobody else can have this page say something.
  if (result !== null && services.isProven(context, resultOf(action, ref, result), query.get('proof')))
    return {
      title: `${action.name}: done`,
      note: ref,
      content: (
        <>
          <p class="notice" role="status">
            <Untrusted text={result} />
          </p>
          <p>
            <a href={explain}>What the next pull would do</a>
          </p>
        </>
      ),
    };
  return {
    title: `${action.name}?`,
    note: ref,
    content: (
      <>
        <p>{action.effect}</p>
        <Confirmation
          verb={action.verb}
          fields={{ ref }}
          csrf={context.csrf()}
          proof={services.proofOf(context, `${action.verb} ${ref}`)}
          name={action.name}
          isDangerous={action.isDangerous}
          back={explain}
        />
      </>
    ),
  };
}

/** @throws OciError */
export async function doImageAction(
  services: ActionServices,
  action: ImageAction,
  context: PageContext,
  form: URLSearchParams,
): Promise<PageRedirect> {
  const image = imageOf(services, context, form.get('ref'));
  const ref = referenceText(image);
  const isAllowed = context.visitor.may(action.right, image.repository);
  services.assertMay(context, isAllowed, `${action.verb} ${ref}`, form, image);
  const result = await action.run(services.actions, operatorOf(context, action.right, image.repository), image);
  const proof = services.proofOf(context, resultOf(action, ref, result));
  return { location: `/_ui/actions/${action.verb}?${new URLSearchParams({ ref, result, proof }).toString()}` };
}

function resultOf({ verb }: ImageAction, ref: string, result: string): string {
  return `result ${verb} ${ref} ${result}`;
}

/** What is no reference is as what does not exist: who may do something comes here by a link. */
function imageOf(services: ActionServices, context: PageContext, typed: string | null) {
  try {
    return services.imageOf(context, typed ?? '');
  } catch (error) {
    if (error instanceof OciError) throw new OciError('NOT_FOUND');
    throw error;
  }
}
