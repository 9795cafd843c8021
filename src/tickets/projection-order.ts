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

/** Which event stated each field of a row last. */
export type Stated = Record<string, Order>;

/**
 * Takes over what an event states, field by field: what it leaves out (undefined) and what a newer event stated stay as
 * they are. So the same events end in the same row, in whatever order they come.
 */
export function takeOver<T extends { stated: Stated }>(row: T, given: Partial<Omit<T, 'stated'>>, order: Order): void {
  for (const [field, value] of Object.entries(given)) {
    if (value === undefined || isStale(row.stated, field, order)) continue;
    row.stated[field] = { version: order.version, updatedAt: order.updatedAt };
    Object.assign(row, { [field]: value });
  }
}

/** True if a newer event stated this field. */
export function isStale(stated: Stated, field: string, order: Order): boolean {
  const last = stated[field];
  return last !== undefined && isOlder(order, last);
}
