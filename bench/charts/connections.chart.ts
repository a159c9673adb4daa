import { blobLoad } from './blob-load.js';
import { pointScenario, type Chart } from './chart.js';

const name = 'connections';
const wholeSize = 5_000_000;
const throughput = { label: 'throughput, MB/s', scale: 'linear' } as const;

export const connectionsChart: Chart = {
  name,
  title: 'Connections at the same time',
  axis: 'connections',
  work: 'one stored blob of 5 MB: of 51 MB, a thousand at once would take longer than the run before the first has ended',
  throughput,
  points: [1, 10, 100, 1_000].map((connections) => {
    const label = connections.toLocaleString('en');
    return {
      x: connections,
      label,
      scenario: pointScenario(name, label, throughput.label, (setting) => {
        return blobLoad(setting, {
          size: Math.ceil(wholeSize / setting.shrink),
          connections,
          seconds: setting.seconds,
        });
      }),
    };
  }),
};
