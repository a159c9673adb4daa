import { visibleText } from '../format/visible-text.js';

/** What an image says of itself: isolated from the text around it, with nothing in it that cannot be seen. */
export function Untrusted({ text }: { readonly text: string }) {
  return <bdi>{visibleText(text)}</bdi>;
}

/** As `Untrusted`, for commands and values: a long one opens. */
export function UntrustedCode({ text }: { readonly text: string }) {
  const shown = visibleText(text);
  const [first = ''] = shown.split('\n', 1);
  const start = first.slice(0, longestLine);
  if (start.length === shown.length)
    return (
      <code>
        <bdi>{shown}</bdi>
      </code>
    );
  return (
    <details>
      <summary>
        <code>
          <bdi>{start}…</bdi>
        </code>
      </summary>
      <pre>
        <code>
          <bdi>{shown}</bdi>
        </code>
      </pre>
    </details>
  );
}

/** Characters of a command that stand in its line. */
const longestLine = 160;
