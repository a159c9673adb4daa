import { blobSizeChart } from './blob-size.chart.js';
import type { Chart } from './chart.js';
import { connectionsChart } from './connections.chart.js';
import { storedObjectsChart } from './stored-objects.chart.js';

export const charts: readonly Chart[] = [connectionsChart, blobSizeChart, storedObjectsChart];
