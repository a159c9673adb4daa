import type { Account } from './private-server.js';
import { type Environment, run } from './process.js';

/** The commands by which a client signs in at a server that speaks http, and signs out. */
export interface SignIn {
  readonly login: (address: string, account: Account) => string[];
  readonly logout: (address: string) => string[];
}

const flags = ({ username, password }: Account) => ['--username', username, '--password', password];
const containersTool: SignIn = {
  login: (address, account) => ['login', '--tls-verify=false', ...flags(account), address],
  logout: (address) => ['logout', address],
};

/** As docs/clients has them. */
export const signIns = {
  skopeo: containersTool,
  podman: containersTool,
  buildah: containersTool,
  crane: {
    login: (address, account) => ['--insecure', 'auth', 'login', ...flags(account), address],
    logout: (address) => ['auth', 'logout', address],
  },
  oras: {
    login: (address, account) => ['login', '--plain-http', ...flags(account), address],
    logout: (address) => ['logout', address],
  },
  regctl: {
    login: (address, { username, password }) => ['registry', 'login', '--user', username, '--pass', password, address],
    logout: (address) => ['registry', 'logout', address],
  },
  helm: {
    login: (address, account) => ['registry', 'login', '--plain-http', ...flags(account), address],
    logout: (address) => ['registry', 'logout', address],
  },
} satisfies Record<string, SignIn>;

export type Program = keyof typeof signIns;

export async function signIn(
  program: Program,
  address: string,
  account: Account,
  environment: Environment,
): Promise<void> {
  // It connects at once, and has to know how.
  if (program === 'regctl')
    await run('regctl', ['registry', 'set', '--tls', 'disabled', '--skip-check', address], { environment });
  await run(program, signIns[program].login(address, account), { environment });
}

export async function signOut(program: Program, address: string, environment: Environment): Promise<void> {
  await run(program, signIns[program].logout(address), { environment });
}
