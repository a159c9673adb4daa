/**
 * Makes `Intl.DateTimeFormat` lazy. NestJS creates two instances on load, for loggers that are replaced here, and the
 * first instance loads 6 MiB of ICU data. Call this before loading NestJS.
 */
export function postponeDateFormats(): void {
  Intl.DateTimeFormat = new Proxy(Intl.DateTimeFormat, { construct: constructLazily });
}

type Format = typeof Intl.DateTimeFormat;

function constructLazily(target: Format, args: ConstructorParameters<Format>): Intl.DateTimeFormat {
  let made: Intl.DateTimeFormat | undefined;
  const get = (_: object, key: PropertyKey): unknown => {
    made ??= new target(...args);
    const value: unknown = Reflect.get(made, key, made);
    return typeof value === 'function' ? (value.bind(made) as unknown) : value;
  };
  return new Proxy<Intl.DateTimeFormat>(Object.create(target.prototype) as Intl.DateTimeFormat, { get });
}
