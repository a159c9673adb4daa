/** What settings of a source may have: mistakes that no rule of a single property finds, such as an unreadable file. */
export interface CheckedOptions {
  /** @returns mistakes by the name of the setting; `kind` is the kind of value, such as 'a file' */
  mistakes(): readonly { readonly name: string; readonly kind: string; readonly reason: string }[];
}
