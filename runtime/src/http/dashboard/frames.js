// Reads server-sent events from a text that arrives in pieces.

/** Turns pieces of the text into events. A coordinator ends its lines with a line feed alone. */
export class Frames {
  #rest = "";
  #frame = {};

  /** The events that end within this further piece, as `{ id, event, data }`. An event lacks what it was sent without. */
  take(piece) {
    const lines = (this.#rest + piece).split("\n");
    this.#rest = lines.pop();
    const ended = [];
    for (const line of lines) {
      if (line === "") {
        ended.push(this.#frame);
        this.#frame = {};
      } else {
        // A comment is a field without a name. A coordinator writes the data in one line.
        const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
        this.#frame[field] = value;
      }
    }
    return ended;
  }
}
