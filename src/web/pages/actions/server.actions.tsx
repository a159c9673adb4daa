import type { Job } from '../../../admin/acting/background.jobs.js';
import { OciError } from '../../../oci/error.js';
import type { SweepStatus } from '../../../registry/eviction/sweep.place.js';
import { Facts } from '../../components/section.js';
import { Table } from '../../components/table.js';
import { Untrusted } from '../../components/untrusted.js';
import { Ago, Size, State, useFormats } from '../../components/values.js';
import type { PageContext } from '../../page.context.js';
import type { PageRedirect, PageView } from '../../page.js';
import { operatorOf, type ActionServices } from './action.context.js';
import { Confirmation } from './confirmation.js';

/** Seconds between two looks at what runs. */
const refresh = 2;

const actionsPath = '/_ui/actions';

export function showSweep(services: ActionServices, context: PageContext): PageView {
  const { status } = services.sweeping;
  const confirmation = (
    fields: Readonly<Record<string, string>>,
    about: string,
    name: string,
    isDangerous: boolean,
  ) => (
    <Confirmation
      verb="sweep"
      fields={fields}
      csrf={context.csrf()}
      proof={services.proofOf(context, about)}
      name={name}
      isDangerous={isDangerous}
      back={actionsPath}
    />
  );
  return {
    title: 'Sweep',
    ...(status.running && { refresh }),
    content: (
      <>
        <p>
          A sweep removes content that has been unused for too long, evicts content over the quota, and collects the
          garbage of hosted repositories. A dry run shows what would go, and why, without that garbage.
        </p>
        {status.running ? (
          <p role="status">
            <State kind="idle">{`running: ${status.phase}`}</State>
          </p>
        ) : (
          <>
            {confirmation({ mode: 'dry-run' }, 'sweep dry-run', 'Dry run', false)}
            {confirmation({}, 'sweep', 'Sweep now', true)}
          </>
        )}
        <SweepFacts status={status} now={context.now} />
      </>
    ),
  };
}

function SweepFacts({
  status: { running, counts, last, lastError, usedBytes, quota },
  now,
}: {
  readonly status: SweepStatus;
  readonly now: number;
}) {
  const formats = useFormats();
  const shown = running ? counts : last;
  return (
    <Facts
      facts={[
        ['Used', <Size bytes={usedBytes} />],
        ['Quota', quota !== undefined ? <Size bytes={quota} /> : undefined],
        ['Last sweep', last && <Ago at={last.startedAt.getTime()} now={now} />],
        ['Objects examined', shown && formats.count(shown.seen)],
        ['Records removed', shown && formats.count(shown.removedRecords)],
        ['Content removed', shown && formats.count(shown.removedContents)],
        ['Space freed', shown && <Size bytes={shown.removedBytes} />],
        ['Failed', shown && shown.failed > 0 ? formats.count(shown.failed) : undefined],
        ['Last failure', lastError !== undefined ? <Untrusted text={lastError} /> : undefined],
      ]}
    />
  );
}

export function submitSweep(services: ActionServices, context: PageContext, form: URLSearchParams): PageRedirect {
  if (form.get('mode') !== 'dry-run') return doSweep(services, context, form);
  services.assertMay(context, context.visitor.isAdministrator, 'sweep dry-run', form);
  const job = services.jobs.findRemovable(context.visitor.identity);
  services.actions.note(operatorOf(context, 'admin'), 'sweep dry-run', undefined);
  return { location: `/_ui/actions/job?id=${job.id}` };
}

/** Joins a running sweep, which logs its failure and shows it in its status. */
function doSweep(services: ActionServices, context: PageContext, form: URLSearchParams, about = 'sweep'): PageRedirect {
  services.assertMay(context, context.visitor.isAdministrator, about, form);
  services.actions.note(operatorOf(context, 'admin'), about, undefined);
  services.sweeping.run().catch(() => undefined);
  return { location: '/_ui/actions/sweep' };
}

export function showGarbage(services: ActionServices, context: PageContext): PageView {
  const confirmation = (mode: string, name: string, isDangerous: boolean) => (
    <Confirmation
      verb="gc"
      fields={{ mode }}
      csrf={context.csrf()}
      proof={services.proofOf(context, `gc ${mode}`)}
      name={name}
      isDangerous={isDangerous}
      back={actionsPath}
    />
  );
  return {
    title: 'Garbage collection',
    content: (
      <>
        <p>Removes what nothing refers to from the hosted repositories. A dry run shows what would go, and why.</p>
        {confirmation('dry-run', 'Dry run', false)}
        {confirmation('collect', 'Collect now', true)}
      </>
    ),
  };
}

/** The collection is a part of a sweep. */
export function doGarbage(services: ActionServices, context: PageContext, form: URLSearchParams): PageRedirect {
  const mode = form.get('mode') === 'dry-run' ? 'dry-run' : 'collect';
  if (mode === 'collect') return doSweep(services, context, form, 'gc collect');
  services.assertMay(context, context.visitor.isAdministrator, 'gc dry-run', form);
  const job = services.jobs.findGarbage(context.visitor.identity);
  services.actions.note(operatorOf(context, 'admin'), 'gc dry-run', undefined);
  return { location: `/_ui/actions/job?id=${job.id}` };
}

export function showJob(services: ActionServices, context: PageContext): PageView {
  const job = services.jobs.find(context.query.get('id') ?? '', context.visitor.identity);
  if (!job) throw new OciError('NOT_FOUND');
  return {
    title: job.title,
    ...(!job.end && { refresh }),
    content: <Progress job={job} now={context.now} />,
  };
}

const kinds: Readonly<Record<string, 'good' | 'bad'>> = { done: 'good', failed: 'bad' };

function Progress({ job: { lines, more, end, startedAt }, now }: { readonly job: Job; readonly now: number }) {
  const formats = useFormats();
  const rows = lines.map(({ name, state, text }) => [
    <Untrusted text={name} />,
    <State kind={kinds[state] ?? 'idle'}>{state}</State>,
    <Untrusted text={text} />,
  ]);
  return (
    <>
      <p role="status">
        <State kind={!end ? 'idle' : end.failure === undefined ? 'good' : 'bad'}>
          {!end ? 'running' : end.failure === undefined ? 'ended' : 'failed'}
        </State>{' '}
        {end?.failure !== undefined && <Untrusted text={`${end.failure}. `} />}
        Begun <Ago at={startedAt} now={now} />.
      </p>
      {rows.length > 0 ? (
        <Table
          id="lines"
          caption="Results"
          columns={[{ name: 'What' }, { name: 'State' }, { name: 'Details' }]}
          rows={rows}
        />
      ) : (
        end && <p>There is nothing to show.</p>
      )}
      {more > 0 && <p class="note">{`and ${formats.count(more)} more`}</p>}
      <p>
        <a href={actionsPath}>All actions</a>
      </p>
    </>
  );
}
