import type { ComponentChildren } from 'preact';

/** A part of a page under a heading, which a screen reader lists. */
export function Section({
  id,
  title,
  children,
}: {
  readonly id: string;
  readonly title: string;
  readonly children: ComponentChildren;
}) {
  return (
    <section id={id} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{title}</h2>
      {children}
    </section>
  );
}

/** Text to copy; the script adds a button. @param label of what is copied */
export function Snippet({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <div class="snippet" data-copy={label}>
      <pre>
        <code>{text}</code>
      </pre>
    </div>
  );
}

/** Pairs of a name and what it is; those without a value are left out. */
export function Facts({ facts }: { readonly facts: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== undefined && value !== '')
        .map(([name, value]) => (
          <div>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
