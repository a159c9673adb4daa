import type { ComponentChildren } from 'preact';

export interface Column {
  readonly name: string;
  readonly isNumber?: boolean;
  /** As in `aria-sort`, where the list is in the order of this column. */
  readonly order?: 'ascending' | 'descending';
  /** Where the list is in the order of this column. */
  readonly sortLink?: string;
}

/**
 * A table in a region that scrolls when it is too wide, by keyboard too; on a small screen each row is a card. The first
 * cell of a row is its header.
 */
export function Table({
  id,
  caption,
  columns,
  rows,
  isWide = false,
}: {
  readonly id: string;
  readonly caption: ComponentChildren;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly ComponentChildren[])[];
  /** With many columns: rows are cards on middling screens too. */
  readonly isWide?: boolean;
}) {
  const style = (index: number) => (columns[index]?.isNumber === true ? 'number' : undefined);
  // The roles are said again, because a table that is laid out as cards would lose them.
  return (
    <div class="scroll" role="region" aria-labelledby={id} tabindex={0}>
      <table role="table" class={isWide ? 'wide' : undefined}>
        <caption id={id}>{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(({ name, order, sortLink }, index) => (
              <th scope="col" role="columnheader" class={style(index)} aria-sort={order}>
                {sortLink === undefined ? name : <a href={sortLink}>{name}</a>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map(([first, ...rest]) => (
            <tr role="row">
              <th scope="row" role="rowheader">
                {first}
              </th>
              {rest.map((cell, index) => (
                <td role="cell" class={style(index + 1)} data-label={columns[index + 1]?.name}>
                  <span>{cell}</span>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
