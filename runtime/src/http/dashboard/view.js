// Which page is shown. The address names it: `?query=`, `?worker=`, `?request=` or `?feed=`, or nothing for the overview.

const KINDS = ["query", "worker", "request", "feed"];

/** The page that an address names. */
export function viewOf(search) {
  const parameters = new URLSearchParams(search);
  const kind = KINDS.find((name) => (parameters.get(name) ?? "") !== "");
  return kind === undefined ? { kind: "overview", key: "" } : { kind, key: parameters.get(kind) };
}

/** The address of the page of a query, a worker, a request or a feed. */
export function addressOf(kind, key) {
  return `?${kind}=${encodeURIComponent(key)}`;
}

/** Whether a browser keeps this name as a part of a path. It takes those of one or two dots for the way to a folder. */
export function isKeptInPaths(name) {
  return name !== "." && name !== "..";
}

/** Dispatches `change` when another page is to be shown. `current` is the page that is shown. */
export class View extends EventTarget {
  current = viewOf(location.search);

  constructor() {
    super();
    addEventListener("popstate", () => this.#show());
    document.addEventListener("click", (event) => this.#follow(event));
  }

  /** Opens the page of a query, a worker, a request or a feed. */
  open(kind, key) {
    history.pushState(null, "", addressOf(kind, key));
    this.#show();
  }

  /** Follows a link to a page without loading the page again. Other keys and buttons do what they do elsewhere. */
  #follow(event) {
    const link = event.target.closest?.("a[data-page]");
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    history.pushState(null, "", link.getAttribute("href"));
    this.#show();
  }

  #show() {
    this.current = viewOf(location.search);
    this.dispatchEvent(new Event("change"));
  }
}
