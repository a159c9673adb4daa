/** A variable of the environment; undefined when it is empty. Those of mounted secrets often end with a line break. */
export function variable(name: string): string | undefined {
  const value = process.env[name]?.trim();
  return value === '' ? undefined : value;
}
