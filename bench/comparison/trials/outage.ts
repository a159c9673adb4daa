import type { FakeRegistry } from '../../../test/fakes/fake-registry.js';
import { manifestUrl, Stand, type Setting } from '../stand.js';
import { get, outcomeOf } from '../get.js';
import type { Trial } from '../trial.js';

/** A stored tag that is checked at the upstream for each request, while the upstream has this defect. */
function storedTag(row: string, breakUpstream: (upstream: FakeRegistry) => void | Promise<void>): Trial {
  return {
    row: `Stored tag, ${row}`,
    run: async (setting) => {
      const stand = await Stand.open(setting, { tagTtl: '0s' });
      await stand.fill();
      await breakUpstream(stand.upstream);
      const received = await stand.manifest();
      const outcome = outcomeOf(received, stand.image.manifest.digest);
      if (outcome !== 'served') return outcome;
      const failure = await stand.failureOfPull();
      return failure === undefined ? `served in ${spanOf(received.millis)}` : `served, then ${failure}`;
    },
  };
}

/** Milliseconds below a second would say more of the machine than of the program. */
function spanOf(millis: number): string {
  return millis < 1000 ? 'less than 1 s' : `${(millis / 1000).toFixed(1)} s`;
}

const restart: Trial = {
  row: 'Stored tag, the program starts while the upstream refuses connections',
  run: async (setting: Setting) => {
    const stand = await Stand.open(setting, { tagTtl: '0s' });
    const expected = stand.image.manifest.digest;
    await stand.fill();
    await stand.upstream.stop();
    return setting.scope.within(async (scope) => {
      const server = await stand.start(scope).catch(() => undefined);
      if (server === undefined) return 'does not start';
      const { origin } = server;
      return outcomeOf(await get(manifestUrl(origin, '1')), expected);
    });
  },
};

export const outageTrials: readonly Trial[] = [
  storedTag('upstream refuses connections', (upstream) => upstream.stop()),
  storedTag('upstream accepts requests and never responds', ({ behaviour }) => {
    behaviour.before = () => new Promise(() => undefined);
  }),
  storedTag('upstream responds 500', ({ behaviour }) => {
    behaviour.outage = { status: 500 };
  }),
  storedTag('upstream responds 429', ({ behaviour }) => {
    behaviour.outage = { status: 429 };
  }),
  restart,
  storedTag('deleted at the upstream (404)', (upstream) => {
    upstream.deleteTag('team/app', '1');
  }),
  storedTag('access revoked at the upstream (403)', ({ behaviour }) => {
    behaviour.outage = { status: 403 };
  }),
];
