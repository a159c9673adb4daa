import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between two batches of attempts. */
const beat = 20;

export interface Attack {
  readonly url: string;
  readonly perSecond: number;
  /** Loopback addresses to come from: 127.0.1.1 and so on. */
  readonly addresses: number;
}

export interface AttackReport {
  readonly perSecond: number;
  readonly failures: readonly string[];
}

/** Tries wrong passwords at a steady pace until the work is done. */
export async function duringAttack<T>(
  attack: Attack,
  work: () => Promise<T>,
): Promise<{ result: T; report: AttackReport }> {
  const agents = Array.from({ length: attack.addresses }, () => new http.Agent({ keepAlive: true, maxSockets: 20 }));
  const statuses = new Map<string, number>();
  const count = (status: string): void => {
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  };
  let isOver = false;
  const begin = performance.now();
  const send = async () => {
    let sent = 0;
    while (!isOver) {
      await sleep(beat);
      const due = ((performance.now() - begin) / 1000) * attack.perSecond;
      for (; sent < due; sent += 1) attempt(attack, agents, sent, count);
    }
  };
  const sending = send();
  try {
    const result = await work();
    const seconds = (performance.now() - begin) / 1000;
    const responses = [...statuses.values()].reduce((sum, of) => sum + of, 0);
    const odd = [...statuses].filter(([status]) => status !== '401' && status !== '429');
    const failures = odd.map(([status, of]) => `a wrong password: ${status}, ${of} times`);
    return { result, report: { perSecond: responses / seconds, failures } };
  } finally {
    isOver = true;
    await sending;
    for (const agent of agents) agent.destroy();
  }
}

function attempt(
  { url, addresses }: Attack,
  agents: readonly http.Agent[],
  index: number,
  count: (status: string) => void,
) {
  const from = index % addresses;
  const authorization = `Basic ${Buffer.from(`user-${index % 500}:wrong-${index}`).toString('base64')}`;
  const options = { agent: agents[from], localAddress: `127.0.1.${from + 1}`, headers: { authorization } };
  const request = http.get(url, options, (response) => {
    count(String(response.statusCode));
    response.resume();
  });
  // Connections end with the attack.
  request.on('error', () => undefined);
}
