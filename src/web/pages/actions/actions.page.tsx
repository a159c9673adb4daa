import { Section } from '../../components/section.js';
import type { PageFactory } from '../../page.js';

const serverActions = [
  ['warm', 'Warm images', 'pulls images before clients need them'],
  ['sweep', 'Sweep', 'removes unused content, and evicts content over the quota; with a dry run'],
  ['gc', 'Garbage collection', 'removes what nothing refers to from hosted repositories; with a dry run'],
] as const;

/** What administrators of the whole server can do. */
export const actionsPage: PageFactory = () => ({
  show: () => ({
    title: 'Actions',
    content: (
      <>
        <Section id="server" title="This server">
          <ul>
            {serverActions.map(([verb, name, effect]) => (
              <li>
                <a href={`/_ui/actions/${verb}`}>{name}</a>
                {`: ${effect}.`}
              </li>
            ))}
          </ul>
        </Section>
        <Section id="image" title="One image">
          <p>Its page offers what can be done about it: refresh, evict or delete.</p>
          <form class="actions" method="get" action="/_ui/explain">
            <input
              class="reference"
              type="text"
              name="ref"
              aria-label="Image"
              placeholder="docker.io/library/nginx:1.27"
              required
            />
            <button type="submit">Open</button>
          </form>
        </Section>
        <p class="note">What is done here is in the log, and in the audit log of the access file.</p>
      </>
    ),
  }),
});
