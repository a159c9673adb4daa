import { blobLoad } from './blob-load.js';
import { pointScenario, type Chart } from './chart.js';

const name = 'blob-size';
const connections = 8;
const throughput = { label: 'throughput', unit: 'MB/s', scale: 'log' } as const;

const sizes = [
  { x: 1e3, label: '1 kB' },
  { x: 20e3, label: '20 kB' },
  { x: 1e6, label: '1 MB' },
  { x: 50e6, label: '50 MB' },
  { x: 2e9, label: '2 GB' },
];

export const blobSizeChart: Chart = {
  name,
  title: 'Size of the blob',
  axis: 'size of the blob',
  work: `one stored blob, ${connections} connections`,
  throughput,
  points: sizes.map(({ x, label }) => ({
    x,
    label,
    scenario: pointScenario(name, label, throughput, (setting) => {
      return blobLoad(setting, { size: Math.ceil(x / setting.shrink), connections });
    }),
  })),
};
