// Loaded before the program (NODE_OPTIONS=--import): at SIGUSR2 V8 collects all that nobody holds. Nothing else changes.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
process.on('SIGUSR2', () => collect());
