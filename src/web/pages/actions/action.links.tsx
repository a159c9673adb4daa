import type { ImageReference } from '../../../oci/image-reference.js';
import { referenceText } from '../../../oci/typed-reference.js';
import type { Explanation } from '../../../registry/explaining/explanation.js';
import { Section } from '../../components/section.js';
import type { Visitor } from '../../visitor.js';
import { actionsFor } from './image.actions.js';

/** What a visitor may do about an image, or why nothing is offered; readers see nothing of it. */
export function ActionLinks({
  visitor,
  image,
  kind,
}: {
  readonly visitor: Visitor;
  readonly image: ImageReference;
  readonly kind: Explanation['kind'];
}) {
  const ref = referenceText(image);
  const actions = actionsFor(visitor, image, kind);
  const warm = visitor.isAdministrator && kind === 'mirrored';
  if (actions.length === 0 && !warm) return visitor.hasRules ? <></> : <NotOffered />;
  return (
    <Section id="actions" title="Actions">
      <ul class="actions">
        {actions.map(({ verb, name, isDangerous }) => (
          <li>
            <a class={isDangerous ? 'button danger' : 'button'} href={`/_ui/actions/${verb}?${query({ ref })}`}>
              {name}
            </a>
          </li>
        ))}
        {warm && (
          <li>
            <a class="button" href={`/_ui/actions/warm?${query({ images: ref })}`}>
              Warm
            </a>
          </li>
        )}
      </ul>
    </Section>
  );
}

function NotOffered() {
  return (
    <p class="note">
      Actions are offered to administrators: at the admin address of this server (<code>--admin-listen</code>), or
      everywhere with an access file (<code>--access-file</code>).
    </p>
  );
}

function query(parameters: Record<string, string>): string {
  return new URLSearchParams(parameters).toString();
}
