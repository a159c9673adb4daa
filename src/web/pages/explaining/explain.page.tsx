import { AccessExplanation, type ExplainedAccess } from '../../../admin/explaining/access.explanation.js';
import { readExplainQuery } from '../../../admin/explaining/explain.query.js';
import { OwnAddresses } from '../../../admin/explaining/own.addresses.js';
import { OciError } from '../../../oci/error.js';
import type { ImageReference } from '../../../oci/image-reference.js';
import { ExplainService } from '../../../registry/explaining/explain.service.js';
import type { Explanation } from '../../../registry/explaining/explanation.js';
import { Section } from '../../components/section.js';
import type { PageContext } from '../../page.context.js';
import type { PageFactory, PageView } from '../../page.js';
import { ActionLinks } from '../actions/action.links.js';
import { AccessSection, LastSection, NowSection, RecordSection } from './explained.sections.js';
import { explanationFor } from './shown.explanation.js';
import { StoredSection, UpstreamSection } from './state.sections.js';

/** Why the last pull of a reference ended as it did. */
export const explainPage: PageFactory = (app) => {
  const explaining = app.get(ExplainService);
  const access = app.get(AccessExplanation);
  const addresses = app.get(OwnAddresses);
  const imageOf = (context: PageContext): ImageReference =>
    explaining.parse(context.query.get('ref') ?? '', addresses.of({ host: context.host }));
  return {
    async show(context) {
      const { query, visitor } = context;
      if ((query.get('ref') ?? '').trim() === '') return view(context, undefined);
      let image: ImageReference;
      try {
        image = imageOf(context);
      } catch (error) {
        if (!(error instanceof OciError)) throw error;
        return view(context, error.message, 400);
      }
      const isAdministrator = visitor.isAdministrator || visitor.may('admin', image.repository);
      // Before anything is read: how long that takes would tell that there is something.
      if (!isAdministrator && !visitor.maySee(image.repository)) throw new OciError('NOT_FOUND');
      const whole = await explaining.explain(image, visitor.isAdministrator);
      const explanation = explanationFor(visitor, image.repository, whole);
      const { subject } = isAdministrator ? readExplainQuery(Object.fromEntries(query)) : { subject: undefined };
      const rules = isAdministrator ? access.explain(image.repository, subject) : undefined;
      return {
        title: `Why ${explanation.reference}`,
        content: <Explained explanation={explanation} image={image} access={rules} context={context} />,
      };
    },
  };
};

/** @param problem of what was typed */
function view({ query }: PageContext, problem: string | undefined, status = 200): PageView {
  return {
    title: 'Explain a pull',
    status,
    content: (
      <>
        <p>Why the last pull of an image was a hit, a miss, stale or refused, and what the next one would do.</p>
        {problem !== undefined && <p class="notice" role="alert">{`This is no image reference: ${problem}.`}</p>}
        <ReferenceForm value={query.get('ref') ?? ''} />
      </>
    ),
  };
}

/** Longest reference that is put back into a form, in characters. */
const longestReference = 512;

function ReferenceForm({ value }: { readonly value: string }) {
  return (
    <form class="actions" method="get" action="/_ui/explain">
      <label for="ref">Image</label>{' '}
      <input
        id="ref"
        class="reference"
        name="ref"
        type="text"
        required
        autocomplete="off"
        spellcheck={false}
        placeholder="docker.io/library/nginx:1.27"
        value={value.slice(0, longestReference)}
      />{' '}
      <button type="submit">Explain</button>
    </form>
  );
}

function Explained({
  explanation,
  image,
  access,
  context,
}: {
  readonly explanation: Explanation;
  readonly image: ImageReference;
  readonly access: ExplainedAccess | undefined;
  readonly context: PageContext;
}) {
  const { record, rule, upstream, stored } = explanation;
  return (
    <>
      <LastSection explanation={explanation} now={context.now} />
      <NowSection explanation={explanation} />
      {(record ?? rule) && <RecordSection explanation={explanation} now={context.now} />}
      <StoredSection stored={stored} />
      {upstream && <UpstreamSection upstream={upstream} now={context.now} />}
      {access && <AccessSection access={access} reference={explanation.reference} query={context.query} />}
      <ActionLinks visitor={context.visitor} image={image} kind={explanation.kind} />
      <Section id="another" title="Another image">
        <ReferenceForm value={explanation.reference} />
      </Section>
    </>
  );
}
