/**
 * Makes each `Intl.DateTimeFormat` when it is first asked for something. NestJS makes two while it loads, for loggers
 * that are replaced here, and the first one brings 6 MiB of ICU's data into memory. To be called before NestJS is loaded.
 */
export function postponeDateFormats(): void {
  Intl.DateTimeFormat = new Proxy(Intl.DateTimeFormat, { construct: constructLate });
}

type Format = typeof Intl.DateTimeFormat;

function constructLate(target: Format, args: ConstructorParameters<Format>): Intl.DateTimeFormat {
  let made: Intl.DateTimeFormat | undefined;
  const get = (_: object, key: PropertyKey): unknown => {
    made ??= new target(...args);
    const value: unknown = Reflect.get(made, key, made);
    return typeof value === 'function' ? (value.bind(made) as unknown) : value;
  };
  return new Proxy<Intl.DateTimeFormat>(Object.create(target.prototype) as Intl.DateTimeFormat, { get });
}
