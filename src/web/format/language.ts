/** Languages in which numbers and dates are written; the first is the default. Each costs memory once it is used. */
// prettier-ignore
export const languages = [
  'en', 'en-GB', 'de', 'de-AT', 'de-CH', 'fr', 'fr-CA', 'fr-CH', 'zh', 'zh-TW', 'cs', 'da', 'es', 'fi', 'it', 'ja', 'ko', 'nb',
  'nl', 'pl', 'pt', 'pt-BR', 'ru', 'sv', 'tr', 'uk',
] as const;

export type Language = (typeof languages)[number];

const known = new Map(languages.map((language) => [language.toLowerCase(), language]));
/** Characters of a header that are read. */
const longestHeader = 500;

/** The language of an `Accept-Language` header that is preferred most and known here (RFC 9110 §12.5.4). */
export function languageOf(header: string | undefined): Language {
  const ranges = (header ?? '').slice(0, longestHeader).split(',').map(rangeOf);
  const best = ranges.filter(({ weight }) => weight > 0).sort((one, other) => other.weight - one.weight);
  for (const { tag } of best) {
    const language = known.get(traditional.has(tag) ? 'zh-tw' : tag) ?? known.get(tag.split('-', 1)[0] ?? '');
    if (language !== undefined) return language;
  }
  return 'en';
}

const traditional = new Set(['zh-hant', 'zh-hk', 'zh-mo', 'zh-hant-tw', 'zh-hant-hk']);

function rangeOf(text: string): { tag: string; weight: number } {
  const [tag = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  return { tag, weight: /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(quality) ? Number(quality) : 0 };
}
