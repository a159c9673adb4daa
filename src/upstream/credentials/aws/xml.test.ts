import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readXml } from './xml.js';

const document = `<?xml version="1.0" encoding="UTF-8"?>
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Code>AccessDenied</Code>
    <Message>Not &quot;authorized&quot; &amp; &#39;more&#x27; &lt;b&gt;</Message>
    <Code>Second</Code>
  </Error>
  <Empty/>
</ErrorResponse>
`;

describe('a document of STS', () => {
  it('is read by paths', () => {
    const read = readXml(document);
    expect(read?.get('ErrorResponse/Error/Code')).toBe('AccessDenied');
    expect(read?.get('ErrorResponse/Error/Message')).toBe(`Not "authorized" & 'more' <b>`);
    expect(read?.get('ErrorResponse/Empty')).toBe('');
  });

  it.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['HTML', '<!DOCTYPE html><html><body>502</body></html>'],
    ['a document type', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
    ['an unknown entity', '<a>&b;</a>'],
    ['a lone ampersand', '<a>b & c</a>'],
    ['a comment', '<a><!-- b --></a>'],
    ['a section', '<a><![CDATA[b]]></a>'],
    ['an instruction', '<a><?b?></a>'],
    ['an open element', '<a><b></b>'],
    ['elements that overlap', '<a><b></a></b>'],
    ['two documents', '<a></a><a></a>'],
    ['text after an element', '<a><b></b>c</a>'],
    ['text after the document', '<a></a>b'],
    ['too many levels', '<a>'.repeat(9) + '</a>'.repeat(9)],
    ['too many elements', `<a>${'<b/>'.repeat(300)}</a>`],
  ])('is not %s', (_, text) => {
    expect(readXml(text)).toBeUndefined();
  });

  it('is read in time that grows with its length alone', () => {
    const began = performance.now();
    for (const text of [
      '<a' + ' '.repeat(250_000),
      `<a ${'b="c" '.repeat(40_000)}`,
      '<'.repeat(250_000),
      '&'.repeat(250_000),
    ])
      expect(readXml(text)).toBeUndefined();
    expect(readXml(`<a>${'&amp;'.repeat(50_000)}</a>`)?.get('a')).toHaveLength(50_000);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('never throws', () => {
    const parts = fc.constantFrom('<a>', '</a>', '<b', '/>', ' c="d"', '&lt;', '&#', ';', 'x', '<?xml ', '?>', '<!');
    fc.assert(fc.property(fc.array(parts), (found) => void readXml(found.join(''))));
  });
});
