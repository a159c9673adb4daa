import type { StatusView } from '../../../observability/status/status.view.js';
import { Table } from '../../components/table.js';
import { Digest, Name, Progress, useFormats } from '../../components/values.js';

export type TransfersView = Pick<StatusView, 'downloads' | 'waitingDownloads' | 'uploads'>;

/** Of the element that the script replaces as transfers go on. */
export const liveId = 'transfers';

/** Shown by the script while it cannot follow transfers. */
export function NotLive() {
  return (
    <p id={`${liveId}-state`} class="notice" role="status" hidden>
      Not live: <a href="/">refresh the page</a>.
    </p>
  );
}

/** What runs at the moment. Without the script it is that of the last refresh. */
export function Transfers({ view: { downloads, waitingDownloads, uploads = [] } }: { readonly view: TransfersView }) {
  const formats = useFormats();
  return (
    <div id={liveId} data-events="/_ui/live">
      {downloads.length === 0 ? (
        <p>No downloads in progress.</p>
      ) : (
        <Table
          id="downloads-caption"
          caption="Downloads in progress"
          columns={[
            { name: 'Content' },
            { name: 'Repository' },
            { name: 'Progress' },
            { name: 'Clients', isNumber: true },
          ]}
          rows={downloads.map(({ digest, repository, received, size, followers }) => [
            <Digest digest={digest} />,
            repository === undefined ? 'private repository' : <Name name={repository} />,
            <Progress label={`Download of ${digest.slice(0, 19)}`} part={received} whole={size} />,
            formats.count(followers),
          ])}
        />
      )}
      {waitingDownloads > 0 && <p>{formats.count(waitingDownloads)} more are queued.</p>}
      {uploads.length > 0 && (
        <Table
          id="uploads-caption"
          caption="Uploads in progress"
          columns={[{ name: 'Repository' }, { name: 'Progress' }]}
          rows={uploads.map(({ repository, received, size }) => [
            <Name name={repository} />,
            <Progress label={`Upload to ${repository}`} part={received} whole={size} />,
          ])}
        />
      )}
    </div>
  );
}
