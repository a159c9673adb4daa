import { StartError } from '../cli/start-error.js';
import { ServerSettings } from '../config/server.settings.js';
import { settingsOf } from '../config/validation/setting.decorator.js';

/** What a person can do about an address that cannot be listened on, and the option that changes it. */
const causes: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there; stop it or set another address',
  EACCES: 'this user may not use the address: ports below 1024 need CAP_NET_BIND_SERVICE; set another address',
  EADDRNOTAVAIL: 'this machine has no such address; set another one',
  EAFNOSUPPORT: 'this machine has no addresses of this kind; set another one',
  ENOTFOUND: 'the host name does not exist; set another one',
  EAI_AGAIN: 'the host name cannot be resolved now; set an address',
  ENOENT: 'the directory of the socket does not exist; set another path',
};

/** Node reports a missing directory of a socket as EACCES. */
const socketCause = 'the directory of the socket does not exist, or this user may not write to it; set another path';

/** @param option such as `listen`, the setting of the address. @param text its value */
export function listenError(option: 'listen' | 'admin-listen', text: string, code: string): StartError {
  const variable = settingsOf(ServerSettings).find(({ name }) => name === option)?.env;
  const cause = text.startsWith('unix:') && code === 'EACCES' ? socketCause : causes[code];
  const advice = cause === undefined ? 'set another address' : cause;
  return new StartError(`cannot listen on ${text}: ${code}: ${advice} with --${option} (${variable})`);
}
