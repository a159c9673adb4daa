import { join } from 'node:path';
import { startRegistry } from './docker-registry.peer.js';
import { hostedNamespace, mirrorNamespace, startMirror } from './mirror.peer.js';
import { startNginx } from './nginx.peer.js';
import { Peer, type Ground, type PeerName } from './peer.js';

export async function startPeer(name: PeerName, label: string, ground: Ground): Promise<Peer> {
  const { scope, folder, storage, upstream, bucket } = ground;
  switch (name) {
    case 'mirror':
      return new Peer(name, label, await startMirror(ground), `${mirrorNamespace}/`, `${hostedNamespace}/`);
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
