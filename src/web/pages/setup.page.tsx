import { clientSnippets, type ClientSnippet } from '../../observability/clients/client-snippets.js';
import type { MirrorAddress } from '../../observability/clients/mirror-address.js';
import { Snippet } from '../components/section.js';
import type { PageFactory } from '../page.js';

const names: Readonly<Record<string, string>> = {
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

/** Ready-to-paste configuration of every client, for the address at which the visitor reached this server. */
export const setupPage: PageFactory = () => ({
  show: ({ mirror }) => ({ title: 'Set up clients', content: <Clients mirror={mirror} /> }),
});

export function Clients({ mirror }: { readonly mirror: MirrorAddress | undefined }) {
  if (mirror === undefined) return <p>Open this page at the address that clients use to see their configuration.</p>;
  const snippets = clientSnippets(mirror);
  const clients = [...new Set(snippets.map(({ client }) => client))];
  return (
    <>
      <p>
        For this server at <code>{mirror.url}</code>.
      </p>
      {clients.map((client) => (
        <details name="client">
          <summary>{names[client] ?? client}</summary>
          {snippets
            .filter((snippet) => snippet.client === client)
            .map((snippet) => (
              <Client snippet={snippet} />
            ))}
        </details>
      ))}
    </>
  );
}

function Client({ snippet: { title, file, text, check } }: { readonly snippet: ClientSnippet }) {
  return (
    <>
      <h2>{title}</h2>
      {file === undefined ? (
        <p>Run:</p>
      ) : (
        <p>
          In <code>{file}</code>:
        </p>
      )}
      <Snippet text={text.trimEnd()} label={file ?? 'the command'} />
      <p>Try it:</p>
      <Snippet text={check} label="the check" />
    </>
  );
}
