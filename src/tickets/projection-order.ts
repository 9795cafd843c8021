/** What orders two states of one thing: the source's own count where it has one, else its time (ms since 1970). */
export interface Order {
  version: number | null;
  updatedAt: number;
}

/** Equal is not older: of two that claim the same place, the later arrival stands. */
export function isOlder(one: Order, other: Order): boolean {
  if (one.version !== null && other.version !== null) return one.version < other.version;
  return one.updatedAt < other.updatedAt;
}
