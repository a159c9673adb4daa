/** Headers and body of a form (RFC 6749 §3.2). Fields without a value are left out. */
export function formOf(fields: Readonly<Record<string, string | undefined>>) {
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  return {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(given).toString(),
  } as const;
}
