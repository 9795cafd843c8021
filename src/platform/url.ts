/** A host as sockets and lists of hosts name it: an IPv6 address without the brackets that URLs put around it. */
export function bareHost(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}

/**
 * The URL, or null if it is none. Not by `URL.canParse`: once it is called often, node 20 denies what has a letter such as
 * "ü" in it (its fast path takes Latin-1 for UTF-8).
 */
export function parseUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

export function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false; // a % that begins no sign: there is no other way to ask
  }
}
