import { Reload } from './reload.js';

/** Made before other modules are loaded: until there is a handler, SIGHUP ends the process. */
export const earlyReload = new Reload();
