/** A form that does what its page has described. The visitor's browser and identity, the action and the time are in its proof. */
export function Confirmation({
  verb,
  fields,
  csrf,
  proof,
  name,
  isDangerous = false,
  back,
}: {
  readonly verb: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly csrf: string;
  readonly proof: string;
  readonly name: string;
  readonly isDangerous?: boolean;
  /** Where the visitor goes who has changed his mind. */
  readonly back: string;
}) {
  return (
    <form class="actions" method="post" action={`/_ui/actions/${verb}`}>
      {Object.entries({ ...fields, csrf, proof }).map(([field, value]) => (
        <input type="hidden" name={field} value={value} />
      ))}
      <button class={isDangerous ? 'danger' : 'primary'} type="submit">
        {name}
      </button>
      <a class="button" href={back}>
        Cancel
      </a>
    </form>
  );
}
