#!/usr/bin/env node
import { runCommandLine } from './cli/command-line.js';
import { serve } from './serve.js';

process.exitCode = await runCommandLine(process.argv.slice(2), serve);
