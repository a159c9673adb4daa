import type { ComponentChildren } from 'preact';
import { CombinedHistory } from '../../../registry/statistics/history/combined.history.js';
import { StatusService } from '../../../observability/status/status.service.js';
import type { StatusView } from '../../../observability/status/status.view.js';
import { Section } from '../../components/section.js';
import { Time, useFormats } from '../../components/values.js';
import type { PageFactory, PageView } from '../../page.js';
import { Credentials } from './credentials.js';
import { Periods, Replicas } from './past.js';
import { Registries } from './registries.js';
import { Access, Configuration, Errors, Repositories, Storage } from './sections.js';
import { TrafficChart } from './traffic.chart.js';
import { NotLive, Transfers } from './transfers.js';

/** How the server gets on, for whoever may see it. */
export const overviewPage: PageFactory = (app) => {
  const status = app.get(StatusService);
  const history = app.get(CombinedHistory);
  return {
    show: async ({ visitor }) => {
      const view = status.view(visitor.reader);
      if (visitor.reader) return overview(view);
      const { replicas, ...past } = await history.view();
      // Names of hosts are for administrators.
      const shown = visitor.isAdministrator ? replicas : replicas.map((each) => ({ ...each, host: undefined }));
      return overview({ ...view, past: { ...past, replicas: shown } });
    },
  };
};

export function overview(view: StatusView): PageView {
  return {
    title: 'Overview',
    note: (
      <>
        As of <Time at={view.at} />. <a href="/">Refresh</a>
      </>
    ),
    content: <Overview view={view} />,
  };
}

function Overview({ view }: { readonly view: StatusView }) {
  const parts = partsOf(view);
  return (
    <>
      <nav class="sections" aria-label="Sections">
        <ul>
          {parts.map(({ id, title }) => (
            <li>
              <a href={`#${id}`}>{title}</a>
            </li>
          ))}
        </ul>
      </nav>
      <Figures view={view} />
      {view.past && <Periods day={view.past.day} month={view.past.month} />}
      {view.configuration && <Configuration configuration={view.configuration} />}
      {parts.map(({ id, title, content }) => (
        <Section id={id} title={title}>
          {content}
        </Section>
      ))}
      <p class="note">
        {countedBy(view)} {whatIsShown(view)}
      </p>
    </>
  );
}

interface Part {
  readonly id: string;
  readonly title: string;
  /** Undefined if there is nothing to show, or it is none of the visitor's business. */
  readonly content: ComponentChildren;
}

function partsOf(view: StatusView): Part[] {
  const { repositories, accessFiles, auditLinesDropped, storage, credentials = [], at, past } = view;
  const parts: Part[] = [
    {
      id: 'traffic',
      title: 'Last 24 hours',
      content: past && <TrafficChart history={past.day} now={at} />,
    },
    {
      id: 'month',
      title: 'Last 30 days',
      content: past && <TrafficChart history={past.month} now={at} span="month" />,
    },
    { id: 'registries', title: 'Registries', content: <Registries registries={view.registries} /> },
    {
      id: 'credentials',
      title: 'Credentials',
      content: credentials.length === 0 ? undefined : <Credentials credentials={credentials} now={at} />,
    },
    {
      id: 'downloads',
      title: 'Downloads and uploads',
      content: (
        <>
          <NotLive />
          <Transfers view={view} />
        </>
      ),
    },
    { id: 'errors', title: 'Recent errors', content: view.errors && <Errors errors={view.errors} /> },
    { id: 'storage', title: 'Storage', content: storage && <Storage storage={storage} forecast={past?.forecast} /> },
    {
      id: 'repositories',
      title: 'Repositories',
      content: repositories && <Repositories repositories={repositories} />,
    },
    {
      id: 'replicas',
      title: 'Processes',
      content: past && <Replicas replicas={past.replicas} isPartial={past.isPartial} />,
    },
    {
      id: 'access',
      title: 'Access',
      content: accessFiles.length === 0 ? undefined : <Access files={accessFiles} dropped={auditLinesDropped} />,
    },
  ];
  return parts.filter(({ content }) => content !== undefined);
}

function Figures({ view: { totals, uptime } }: { readonly view: StatusView }) {
  const formats = useFormats();
  const { hits, misses, sent, saved } = totals;
  const figures: [string, string][] = [
    ['Hit ratio', formats.ratio(hits, hits + misses)],
    ['Sent to clients', formats.size(sent)],
    ['Upstream traffic saved', formats.size(saved)],
    ['Uptime', formats.duration(uptime)],
  ];
  return (
    <dl class="figures">
      {figures.map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function whatIsShown({ reader }: StatusView): string {
  if (!reader) return 'The names of private repositories are not shown.';
  return reader.name === undefined ? 'What everybody may pull is shown.' : 'What you may pull is shown.';
}

function countedBy({ worker }: StatusView): string {
  if (worker === undefined) return 'Counts and states are those of this process since its start.';
  const { number, count } = worker;
  return `Counts and states are those of worker ${number} of ${count} since its start; a refresh may show another worker.`;
}
