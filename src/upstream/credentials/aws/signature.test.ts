import { describe, expect, it } from 'vitest';
import { Secret } from '../../../config/values/secret.js';
import { sign } from './signature.js';

/** Credentials, scope and signatures of AWS's test suite for Signature Version 4 (awslabs/aws-c-auth). */
const keys = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
  identity: 'the test suite',
};
const scope = { region: 'us-east-1', service: 'service', now: Date.parse('2015-08-30T12:36:00Z') };
const longToken =
  'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7' +
  'mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d' +
  '+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==';
const formDigest = '9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e';
const form = { 'Content-Length': '13', 'X-Amz-Content-Sha256': formDigest };

describe("Signature Version 4 of AWS's test suite", () => {
  it.each([
    ['get-vanilla', 'GET /', {}, '', '', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['post-vanilla', 'POST /', {}, '', '', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    [
      'get-unreserved',
      'GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
      {},
      '',
      '',
      '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
    ],
    [
      'get-header-value-trim',
      'GET /',
      { 'My-Header1': ' value1', 'My-Header2': ' "a   b   c"' },
      '',
      '',
      'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
    ],
    [
      'get-header-key-duplicate',
      'GET /',
      { 'My-Header1': 'value2,value2,value1' },
      '',
      '',
      'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
    ],
    [
      'post-header-value-case',
      'POST /',
      { 'My-Header1': 'VALUE1' },
      '',
      '',
      'cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d',
    ],
    [
      'post-x-www-form-urlencoded',
      'POST /',
      { 'Content-Type': 'application/x-www-form-urlencoded', ...form },
      'Param1=value1',
      '',
      'd3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b',
    ],
    [
      'post-x-www-form-urlencoded-parameters',
      'POST /',
      { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8', ...form },
      'Param1=value1',
      '',
      '328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422',
    ],
    [
      'get-vanilla-with-session-token',
      'GET /',
      {},
      '',
      '6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267',
      '07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8',
    ],
    [
      'post-sts-header-before',
      'POST /',
      {},
      '',
      longToken,
      '85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead',
    ],
  ])('%s', (_, line, headers, body, token, signature) => {
    const [method = '', path = ''] = line.split(' ');
    const signed = sign(
      {
        method,
        url: new URL(`https://example.amazonaws.com${path}`),
        headers,
        body,
      },
      { ...keys, ...(token !== '' && { sessionToken: new Secret(token) }) },
      scope,
    );
    expect(signed.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20150830\/us-east-1\/service\/aws4_request, SignedHeaders=[a-z0-9;-]+, /,
    );
    expect(signed.authorization).toMatch(new RegExp(`, Signature=${signature}$`));
    expect(signed['x-amz-date']).toBe('20150830T123600Z');
  });
});

/** Vectors of Google's libraries, for the request that federation with AWS signs, and of AWS's test suite. */
describe('the signature of a query', () => {
  it('is that of GetCallerIdentity', () => {
    const signer = {
      accessKeyId: 'ASIARD4OQDT6A77FR3CL',
      secretAccessKey: new Secret('Y8AfSaucF37G4PpvfguKZ3/l7Id4uocLXxX0+VTx'),
      identity: '',
    };
    const url = new URL('https://sts.us-east-2.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15');
    const now = Date.parse('2020-08-11T06:55:22Z');
    const request = { method: 'POST', url, headers: {}, body: '' };
    const { authorization } = sign(request, signer, { region: 'us-east-2', service: 'sts', now });
    expect(authorization).toContain('Signature=d095ba304919cd0d5570ba8a3787884ee78b860f268ed040ba23831d55536d56');
  });

  it.each([
    ['Param1=value1', 'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb'],
    ['Param2=value2&Param1=value1', 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500'],
  ])('is that of the test suite: %s', (query, signature) => {
    const url = new URL(`https://example.amazonaws.com/?${query}`);
    const { authorization } = sign({ method: 'GET', url, headers: {}, body: '' }, keys, scope);
    expect(authorization).toContain(`Signature=${signature}`);
  });
});
