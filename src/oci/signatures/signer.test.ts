import { describe, expect, it } from 'vitest';
import { workflowCertificate, workflowIdentity, workflowIssuer } from '../../../test/fixtures/fulcio-certificate.js';
import { bundleSigner, cosignSigner, notationSigner } from './signer.js';

const der = workflowCertificate.replaceAll(/-----[A-Z ]+-----|\n/g, '');
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const workflow = { identity: workflowIdentity, issuer: workflowIssuer };
const nobody = { identity: undefined, issuer: undefined };

describe('who a signature says it is of', () => {
  it('is in the annotations of Cosign', () => {
    const bundle = JSON.stringify({ Payload: { integratedTime: 1_700_000_000 } });
    expect(cosignSigner(workflowCertificate, bundle)).toEqual({ ...workflow, signedAt: 1_700_000_000_000 });
    expect(cosignSigner(undefined, undefined)).toEqual({ ...nobody, signedAt: undefined });
  });

  it('is in a Sigstore bundle, old and new, with what the statement is about', () => {
    const payload = json({ predicateType: 'https://slsa.dev/provenance/v1' }).toString('base64');
    const tlogEntries = [{ integratedTime: '1700000000' }];
    const found = { ...workflow, signedAt: 1_700_000_000_000, predicate: 'https://slsa.dev/provenance/v1' };
    const material = { certificate: { rawBytes: der }, tlogEntries };
    const old = { x509CertificateChain: { certificates: [{ rawBytes: der }] }, tlogEntries };
    for (const verificationMaterial of [material, old])
      expect(bundleSigner(json({ verificationMaterial, dsseEnvelope: { payload } }))).toEqual(found);
    expect(bundleSigner(json({ verificationMaterial: { publicKey: { hint: 'x' } } }))).toMatchObject(nobody);
  });

  it('is in an envelope of Notation', () => {
    const attributes = json({ 'io.cncf.notary.signingTime': '2024-05-01T10:00:00Z' }).toString('base64url');
    const signer = notationSigner(json({ payload: '', protected: attributes, header: { x5c: [der] } }));
    expect(signer).toEqual({ ...workflow, signedAt: Date.parse('2024-05-01T10:00:00Z') });
  });

  it.each(['', 'x', '[]', 'null', '{"verificationMaterial":[]}', '['.repeat(100_000)])(
    'is unknown for nonsense: %.20s',
    (text) => {
      expect(bundleSigner(Buffer.from(text))).toBeUndefined();
      const signer = notationSigner(Buffer.from(text));
      expect(signer === undefined || signer.identity === undefined).toBe(true);
      expect(cosignSigner(text, text)).toEqual({ ...nobody, signedAt: undefined });
    },
  );

  it('is not taken from a certificate that is too long, or that is none', () => {
    expect(cosignSigner(workflowCertificate + ' '.repeat(64 * 1024), undefined)).toMatchObject(nobody);
    const rawBytes = Buffer.from('3003020100', 'hex').toString('base64');
    expect(bundleSigner(json({ verificationMaterial: { certificate: { rawBytes } } }))).toMatchObject(nobody);
  });
});
