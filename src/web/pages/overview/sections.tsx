import type {
  AccessFileView,
  ConfigurationView,
  RepositoriesView,
  StatusView,
  StorageView,
} from '../../../observability/status/status.view.js';
import { Table } from '../../components/table.js';
import { Name, Progress, Size, Time, useFormats } from '../../components/values.js';

/** At most some of the mistakes: the log has them all. */
const mostProblems = 5;

export function Configuration({ configuration: { readAt, rejected } }: { readonly configuration: ConfigurationView }) {
  if (!rejected)
    return (
      <p>
        Configuration: <span class="good">in use</span>, read <Time at={readAt} />.
      </p>
    );
  const { problems, since } = rejected;
  const more = problems.length > mostProblems ? `, and ${problems.length - mostProblems} more` : '';
  return (
    <p class="notice bad">
      Configuration: <span class="bad">not in use</span>: {problems.slice(0, mostProblems).join('; ')}
      {more}. Since <Time at={since} />; what was read before stays.
    </p>
  );
}

export function Access({
  files,
  dropped = 0,
}: {
  readonly files: readonly AccessFileView[];
  readonly dropped?: number | undefined;
}) {
  const formats = useFormats();
  const rows = files.map(({ path, readAt, rejected }) => [
    path,
    rejected ? (
      <>
        <span class="bad">not used</span>: {rejected.reason}. Since <Time at={rejected.since} />; what was read before
        stays.
      </>
    ) : (
      <span class="good">in use</span>
    ),
    <Time at={readAt} />,
  ]);
  return (
    <>
      <Table
        id="access-caption"
        caption="Files that say who may do what"
        columns={[{ name: 'File' }, { name: 'State' }, { name: 'Read' }]}
        rows={rows}
      />
      {dropped > 0 && (
        <p>
          <span class="bad">{formats.count(dropped)} decisions are missing in the audit log</span>: see the log of this
          server.
        </p>
      )}
    </>
  );
}

export function Storage({
  storage: { used, quota, hosted = [] },
  forecast,
}: {
  readonly storage: StorageView;
  readonly forecast?: { readonly growth: number; readonly fullAt?: number } | undefined;
}) {
  const formats = useFormats();
  return (
    <>
      {used === undefined ? (
        <p>Not measured yet.</p>
      ) : quota === undefined ? (
        <p>
          <Size bytes={used} /> in use; no limit is set.
        </p>
      ) : (
        <p>
          <Progress label="Storage in use" part={used} whole={quota} /> ({formats.ratio(used, quota)})
        </p>
      )}
      {forecast && <Forecast forecast={forecast} />}
      {hosted.map(({ repositories, used: bytes, limit }) =>
        bytes === undefined ? (
          <p>
            Quota of {repositories}: {formats.size(limit)}, not counted yet
          </p>
        ) : (
          <p>
            Quota of {repositories}: <Progress label={`Quota of ${repositories}`} part={bytes} whole={limit} /> (
            {formats.ratio(bytes, limit)})
          </p>
        ),
      )}
    </>
  );
}

function Forecast({
  forecast: { growth, fullAt },
}: {
  readonly forecast: { readonly growth: number; readonly fullAt?: number };
}) {
  const formats = useFormats();
  const size = formats.size(Math.abs(growth));
  return (
    <p>
      In the last week {growth >= 0 ? `${size} a day were added` : `usage fell by ${size} a day`}
      {fullAt === undefined ? (
        '.'
      ) : (
        <>
          ; at this rate the limit is reached on{' '}
          <time datetime={new Date(fullAt).toISOString()}>{formats.date(fullAt)}</time>.
        </>
      )}
    </p>
  );
}

export function Repositories({ repositories }: { readonly repositories: RepositoriesView | 'counting' }) {
  const formats = useFormats();
  if (repositories === 'counting') return <p>Being listed; refresh in a moment.</p>;
  const { countedAt, shown, more, hidden } = repositories;
  const kind = hidden === undefined ? 'visible' : 'public';
  const rows = shown.map(({ name, manifests, bytes, usedAt }) => [
    <a href={`/_ui/repository?name=${encodeURIComponent(name)}`}>
      <Name name={name} />
    </a>,
    formats.count(manifests),
    <Size bytes={bytes} />,
    <Time at={usedAt} />,
  ]);
  return (
    <>
      {rows.length === 0 ? (
        <p>No {kind} repositories.</p>
      ) : (
        <Table
          id="repositories-caption"
          caption={`${kind === 'public' ? 'Public' : 'Visible'} repositories, used last`}
          columns={[
            { name: 'Repository' },
            { name: 'Images', isNumber: true },
            { name: 'Size', isNumber: true },
            { name: 'Last used' },
          ]}
          rows={rows}
        />
      )}
      <p class="note">
        {more > 0 && `${formats.count(more)} more, used longer ago. `}
        {hidden !== undefined && `${formats.count(hidden)} private. `}
        Listed at <Time at={countedAt} />.
      </p>
    </>
  );
}

export function Errors({ errors }: { readonly errors: NonNullable<StatusView['errors']> }) {
  if (errors.length === 0) return <p>No errors since the start of this process.</p>;
  const rows = errors.map(({ at, id, method, repository, about, status, message }) => [
    <code class="digest whole">{id}</code>,
    <Time at={at} />,
    <>
      {method} {repository !== undefined && <Name name={`${repository} `} />}
      <Name name={about} />
    </>,
    <>
      {status}
      {message !== undefined && <Name name={`: ${message}`} />}
    </>,
  ]);
  return (
    <Table
      id="errors-caption"
      caption="Requests that failed here, or were too many, newest first"
      columns={[{ name: 'Request' }, { name: 'Time' }, { name: 'About' }, { name: 'Response' }]}
      rows={rows}
    />
  );
}
