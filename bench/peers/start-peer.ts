import { join } from 'node:path';
import { startBareNode } from './bare-node.peer.js';
import { startRegistry } from './docker-registry.peer.js';
import { hostedNamespace, mirrorNamespace, startMirror } from './mirror.peer.js';
import { startNginx } from './nginx.peer.js';
import { Peer, type Ground, type PeerName } from './peer.js';

/** Options of the mirror's command line, before which the last of each kind counts. */
const variants = { mirror: [], 'mirror-logging': ['--log-level', 'info'], 'mirror-workers': ['--workers', 'auto'] };

export async function startPeer(name: PeerName, label: string, ground: Ground): Promise<Peer> {
  const { scope, folder, storage, upstream, bucket } = ground;
  switch (name) {
    case 'mirror':
    case 'mirror-logging':
    case 'mirror-workers':
      return new Peer(
        name,
        label,
        await startMirror(ground, variants[name]),
        `${mirrorNamespace}/`,
        `${hostedNamespace}/`,
      );
    case 'bare-node':
      return new Peer(name, label, await startBareNode(ground), '');
    case 'docker-registry':
      return new Peer(name, label, await startRegistry(scope, { folder, storage }), '');
    case 'docker-registry-proxy':
      return new Peer(
        name,
        label,
        await startRegistry(scope, { folder, storage: join(folder, 'content'), upstream }),
        '',
      );
    case 'docker-registry-s3':
      if (bucket === undefined) throw new Error('there is no bucket in this scenario');
      return new Peer(name, label, await startRegistry(scope, { folder, storage: bucket }), '');
    case 'nginx':
      return new Peer(name, label, await startNginx(scope, folder, storage), '');
  }
}
