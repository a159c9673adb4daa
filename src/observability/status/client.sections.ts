import { clientSnippets, type ClientSnippet } from '../clients/client-snippets.js';
import type { MirrorAddress } from '../clients/mirror-address.js';
import { html, type Html } from './html.js';

const names: Record<string, string> = {
  docker: 'Docker Engine',
  containerd: 'containerd',
  k3s: 'k3s and RKE2',
  podman: 'podman, skopeo, buildah',
  'cri-o': 'CRI-O',
  buildkit: 'BuildKit',
  kind: 'kind',
  talos: 'Talos',
  helm: 'Helm',
  oras: 'ORAS',
  crane: 'crane',
  regctl: 'regctl',
};

/** Ready-to-paste configuration, one client open at a time. */
export function clientSections(mirror: MirrorAddress | undefined): Html {
  if (mirror === undefined) {
    return html`<p>Open this page at the address that clients use to see their configuration.</p>`;
  }
  const snippets = clientSnippets(mirror);
  const clients = [...new Set(snippets.map(({ client }) => client))];
  return html`<p>For this mirror at <code>${mirror.url}</code>.</p>
    ${clients.map(
      (client) =>
        html`<details name="client">
          <summary>${names[client] ?? client}</summary>
          ${snippets.filter((snippet) => snippet.client === client).map(snippetBlock)}
        </details>`,
    )}`;
}

function snippetBlock({ title, file, text, check }: ClientSnippet): Html {
  return html`<h3>${title}</h3>
    <p>${file === undefined ? 'Run:' : html`In <code>${file}</code>:`}</p>
    <pre><code>${text.trimEnd()}</code></pre>
    <p>Try it:</p>
    <pre><code>${check}</code></pre>`;
}
