import type { RepositoryRef } from '../../../oci/repository.js';
import type { Signer } from '../../../oci/signatures/signer.js';
import type { ImageView, ReferrerRow } from '../../../registry/browsing/browsed.js';
import { Section } from '../../components/section.js';
import { Table } from '../../components/table.js';
import { Untrusted } from '../../components/untrusted.js';
import { Size, Time } from '../../components/values.js';
import { imageLink } from './browsing.request.js';
import { Created } from './content.sections.js';

/** Signatures, attestations, SBOMs and whatever else refers to the image. */
export function ReferrersSection({
  image,
  repository,
}: {
  readonly image: ImageView;
  readonly repository: RepositoryRef;
}) {
  const { referrers, moreReferrers } = image;
  const rows = referrers.map((row) => [
    <a href={imageLink(repository, row.reference)}>
      <Untrusted text={row.kind.name} />
    </a>,
    <Says row={row} />,
    row.size === undefined ? '–' : <Size bytes={row.size} />,
    <Created text={row.created} />,
  ]);
  const columns = [{ name: 'Kind' }, { name: 'Signed by, about' }, { name: 'Size', isNumber: true }, { name: 'Made' }];
  return (
    <Section id="referrers" title="Signatures, attestations, SBOM">
      {rows.length === 0 ? (
        <p>None of this image is stored here.</p>
      ) : (
        <Table
          id="referrer-table"
          caption="As they say of themselves: nothing is verified here"
          columns={columns}
          rows={rows}
          isWide
        />
      )}
      {moreReferrers && <p class="note">There are more.</p>}
    </Section>
  );
}

function Says({ row: { signers, predicates, isStored } }: { readonly row: ReferrerRow }) {
  if (!isStored) return <span class="note">not stored</span>;
  if (signers.length + predicates.length === 0) return <>–</>;
  return (
    <>
      {signers.map((signer) => (
        <div>
          <SignedBy signer={signer} />
        </div>
      ))}
      {predicates.map((predicate) => (
        <div>
          about <Untrusted text={predicate} />
        </div>
      ))}
    </>
  );
}

function SignedBy({ signer: { identity, issuer, signedAt } }: { readonly signer: Signer }) {
  return (
    <>
      {identity === undefined ? 'a key without a certificate' : <Untrusted text={identity} />}
      {issuer !== undefined && (
        <>
          , according to <Untrusted text={issuer} />
        </>
      )}
      {signedAt !== undefined && (
        <>
          , <Time at={signedAt} />
        </>
      )}
    </>
  );
}
