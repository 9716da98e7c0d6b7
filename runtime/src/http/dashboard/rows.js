// The rows of a table that is redrawn often. A row that has not changed stays the same element, so that neither the
// focus nor a selection within it is lost.

/**
 * Makes `body` show one row for each item, in order. `keyOf` names an item, `make` makes its row, and `markOf` tells
 * whether a row is still right. If there are no items, `empty` makes the only row.
 */
export function showRows(body, items, { keyOf, markOf, make, empty }) {
  const focus = body.contains(document.activeElement) ? document.activeElement : null;
  const have = new Map([...body.children].map((row) => [row.dataset.key, row]));
  const rows = items.map((item) => {
    const [key, mark] = [keyOf(item), markOf(item)];
    const old = have.get(key);
    if (old?.dataset.mark === mark) return old;
    const row = make(item);
    Object.assign(row.dataset, { key, mark });
    if (focus !== null && old?.contains(focus)) keepFocus(row, focus);
    return row;
  });
  if (rows.length === 0) rows.push(empty());
  if (rows.length === body.children.length && rows.every((row, n) => row === body.children[n])) return;
  body.replaceChildren(...rows);
  if (focus !== null && body.contains(focus)) focus.focus({ preventScroll: true });
}

/** Focuses what replaces the focused element, once it is on the page. */
function keepFocus(row, focus) {
  const place = focus.getAttribute("href");
  queueMicrotask(() => [...row.querySelectorAll("a")].find((link) => link.getAttribute("href") === place)?.focus());
}
