import { fileKinds } from '../../access/access.statistics.js';
import type { AccessService } from '../../access/access.service.js';
import type { Metric, Sample } from './metric.js';

/** Sign-ins, decisions, and the files that say who may do what. Empty without an access file. */
export const accessMetrics: readonly Metric<AccessService>[] = [
  {
    name: 'oci_registry_access_file_changes_total',
    type: 'counter',
    help: 'Changes of the access file and of those that it names, by whether the new content is in use',
    labels: ['file', 'result'],
    read: ({ isEnabled, statistics }) => (isEnabled ? samplesOf(statistics.fileChanges) : []),
  },
  {
    name: 'oci_registry_access_files_rejected',
    type: 'gauge',
    help: 'Files of that kind with a mistake, so that what was read before is in use',
    labels: ['file'],
    read: ({ isEnabled, files }) =>
      isEnabled
        ? fileKinds.map((kind) => ({
            labels: [kind],
            value: files.filter((file) => file.kind === kind && file.rejected).length,
          }))
        : [],
  },
  {
    name: 'oci_registry_rate_limited_requests_total',
    type: 'counter',
    help: 'Requests of clients that a limit of the access file refused',
    labels: ['limit'],
    read: ({ isEnabled, statistics }) =>
      isEnabled ? Object.entries(statistics.limited).map(([limit, value]) => ({ labels: [limit], value })) : [],
  },
  {
    name: 'oci_registry_audit_lines_dropped_total',
    type: 'counter',
    help: 'Decisions that the audit log does not have, because it is too slow or cannot be written',
    labels: [],
    read: ({ isEnabled, statistics }) => (isEnabled ? [{ labels: [], value: statistics.auditLinesDropped }] : []),
  },
  {
    name: 'oci_registry_sign_ins_total',
    type: 'counter',
    help: 'Requests with credentials, by what they are and whether they are accepted; other has headers that are no credentials',
    labels: ['method', 'result'],
    read: ({ isEnabled, statistics }) => (isEnabled ? samplesOf(statistics.signIns) : []),
  },
  {
    name: 'oci_registry_access_decisions_total',
    type: 'counter',
    help: 'Requests for repositories by the right that they need and whether a rule gives it',
    labels: ['right', 'result'],
    read: ({ isEnabled, statistics }) => (isEnabled ? samplesOf(statistics.decisions) : []),
  },
];

function samplesOf(counts: Readonly<Record<string, Readonly<Record<string, number>>>>): Sample[] {
  return Object.entries(counts).flatMap(([key, results]) =>
    Object.entries(results).map(([result, value]) => ({ labels: [key, result], value })),
  );
}
