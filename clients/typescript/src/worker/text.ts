// Bounds of texts that travel between workers and coordinators.

const MAX_ID_BYTES = 128;
const encoder = new TextEncoder();

/** The number of bytes of a text on the wire. */
export function bytes(text: string): number {
  return encoder.encode(text).length;
}

/** Whether a text can be sent and has no control characters. */
export function isPrintable(text: string): boolean {
  return !/[\p{Cc}\p{Surrogate}]/u.test(text);
}

/** Whether a text can be the id of a request or a worker. */
export function isId(text: string): boolean {
  return text !== "" && bytes(text) <= MAX_ID_BYTES && isPrintable(text);
}

/** The beginning of a text that has at most so many bytes. */
export function cut(text: string, maxBytes: number): string {
  const encoded = encoder.encode(text);
  if (encoded.length <= maxBytes) return text;
  // A character that is cut in two is left out.
  return new TextDecoder().decode(encoded.subarray(0, maxBytes), { stream: true });
}
