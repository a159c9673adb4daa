#!/usr/bin/env node
import { tuneHeap } from './cli/heap.js';

// Imported only now, because V8 counts how often Node's own code runs that looks for modules.
tuneHeap();
await import('./command.js');
