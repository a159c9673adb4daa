import { blobLoad } from './blob-load.js';
import { pointScenario, type Chart } from './chart.js';

const name = 'connections';
const wholeSize = 5_000_000;
const throughput = { label: 'throughput', unit: 'MB/s', scale: 'linear' } as const;

export const connectionsChart: Chart = {
  name,
  title: 'Connections at the same time',
  axis: 'connections',
  work: 'one stored blob of 5 MB',
  why: 'of 51 MB, a thousand at once would take longer than a run before the first of them has ended',
  throughput,
  points: [1, 10, 100, 1_000].map((connections) => {
    const label = connections.toLocaleString('en');
    return {
      x: connections,
      label,
      scenario: pointScenario(name, label, throughput, (setting) => {
        return blobLoad(setting, {
          size: Math.ceil(wholeSize / setting.shrink),
          connections,
        });
      }),
    };
  }),
};
