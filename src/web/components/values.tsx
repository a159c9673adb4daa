import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { Formats } from '../format/formats.js';

/** How numbers and dates are written on the page that is being made. */
export const FormatsContext = createContext(Formats.for(undefined));

export function useFormats(): Formats {
  return useContext(FormatsContext);
}

/** @param at milliseconds since 1970 */
export function Time({ at }: { readonly at: number }) {
  const formats = useFormats();
  return (
    <time datetime={new Date(at).toISOString()} lang={formats.language}>
      {formats.time(at)}
    </time>
  );
}

/** How long ago something was. @param at and now milliseconds since 1970 */
export function Ago({ at, now }: { readonly at: number; readonly now: number }) {
  const formats = useFormats();
  return (
    <time datetime={new Date(at).toISOString()} title={formats.time(at)}>
      {now - at < 1000 ? 'now' : `${formats.duration(now - at)} ago`}
    </time>
  );
}

export function Size({ bytes }: { readonly bytes: number }) {
  return <span title={`${useFormats().count(bytes)} bytes`}>{useFormats().size(bytes)}</span>;
}

/** The beginning of a digest; the whole of it for a pointer, and for who copies. */
export function Digest({ digest, isWhole = false }: { readonly digest: string; readonly isWhole?: boolean }) {
  const [algorithm = '', hex = ''] = digest.split(':', 2);
  return (
    <code class={isWhole ? 'digest whole' : 'digest'} title={digest}>
      {isWhole ? digest : `${algorithm}:${hex.slice(0, 12)}`}
    </code>
  );
}

/** A name that may be broken after its parts rather than within a word. */
export function Name({ name }: { readonly name: string }) {
  return (
    <>
      {name.split(/(?<=[/.:@_-])(?=[^/.:@_-])/).map((part, index) => (
        <>
          {index > 0 && <wbr />}
          {part}
        </>
      ))}
    </>
  );
}

/** Without a whole the bar is indeterminate. */
export function Progress({
  label,
  part,
  whole,
}: {
  readonly label: string;
  readonly part: number;
  readonly whole: number | undefined;
}) {
  const formats = useFormats();
  if (whole === undefined)
    return (
      <>
        <progress aria-label={label} /> {formats.size(part)}
      </>
    );
  return (
    <>
      <progress aria-label={label} value={Math.min(part, whole)} max={Math.max(1, whole)} /> {formats.size(part)} of{' '}
      {formats.size(whole)}
    </>
  );
}

export function State({ kind, children }: { readonly kind: 'good' | 'bad' | 'idle'; readonly children: string }) {
  return <span class={`state ${kind}`}>{children}</span>;
}

/** A link out of what an image says of itself: only to a web page, and nothing else is one. */
export function ExternalLink({ url }: { readonly url: string }) {
  const isWeb = /^https?:\/\//i.test(url) && URL.canParse(url);
  return isWeb ? (
    <a href={url} rel="noreferrer nofollow">
      {url}
    </a>
  ) : (
    <>{url}</>
  );
}
