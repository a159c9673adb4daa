import { ServerSettings } from '../../../config/server.settings.js';
import { clientSnippets, type ClientSnippet } from '../../../observability/clients/client-snippets.js';
import type { MirrorAddress } from '../../../observability/clients/mirror-address.js';
import { OciError } from '../../../oci/error.js';
import { Section, Snippet } from '../../components/section.js';
import type { PageFactory, PageFile } from '../../page.js';
import { archives, tarOf } from './archives.js';

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

/** Configuration of every client, to paste or to download, for the address at which the visitor reached this server. */
export const setupPage: PageFactory = (app) => {
  const { unknownNamespaces } = app.get(ServerSettings);
  return {
    show: ({ mirror, query, visitor }) => {
      const name = query.get('download');
      // Whoever may pull from some registries only has a file for each of them.
      const hasOthers = unknownNamespaces === 'mirror' && visitor.reader === undefined;
      if (name !== null) return download(name, mirror, hasOthers);
      return { title: 'Set up clients', content: <Setup mirror={mirror} hasToSignIn={visitor.name !== undefined} /> };
    },
  };
};

/** @throws OciError */
function download(name: string, mirror: MirrorAddress | undefined, hasOthers: boolean): PageFile {
  const archive = archives.find((each) => each.name === name);
  if (!archive || !mirror) throw new OciError('NOT_FOUND');
  return { type: 'application/x-tar', saveAs: name, body: tarOf(archive.files(mirror, hasOthers)) };
}

function Setup({ mirror, hasToSignIn }: { readonly mirror: MirrorAddress | undefined; readonly hasToSignIn: boolean }) {
  if (mirror === undefined) return <p>Open this page at the address that clients use to see their configuration.</p>;
  const snippets = clientSnippets(mirror);
  const clients = [...new Set(snippets.map(({ client }) => client))];
  return (
    <>
      <p>
        For this server at <code>{mirror.url}</code>, and the registries {mirror.namespaces.join(', ')}.
      </p>
      <Section id="clients" title="One client">
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
      </Section>
      <Section id="files" title="All files at once">
        {archives.map(({ name, title, folder }) => (
          <>
            <h3>{title}</h3>
            <p>
              <a href={`${path}?download=${name}`} download={name}>
                {name}
              </a>
              , unpacked in <code>{folder}</code>. On a machine without a browser:
            </p>
            <Snippet
              text={`curl -fsS ${hasToSignIn ? '-u USER ' : ''}'${mirror.url}${path}?download=${name}' | tar -x -C ${folder}`}
              label={`the command for ${name}`}
            />
          </>
        ))}
      </Section>
    </>
  );
}

const path = '/_ui/setup';

function Client({ snippet: { title, file, text, check } }: { readonly snippet: ClientSnippet }) {
  return (
    <>
      <h3>{title}</h3>
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
