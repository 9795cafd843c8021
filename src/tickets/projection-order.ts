/** What orders two states of one thing: the source's own count where it has one, else its time (ms since 1970). */
export interface Order {
  version: number | null;
  updatedAt: number;
  /** The event's own time, ms: of two states of the same place the later one stands. Rows of an earlier release lack it. */
  occurredAt?: number;
  /** Where that is the same too: what kind of event it is, then its id, so that one stands in whatever order they come. */
  tie?: string;
}

/** Equal is not older: what the same event says twice stands as it says it last. */
export function isOlder(one: Order, other: Order): boolean {
  if (one.version !== null && other.version !== null && one.version !== other.version)
    return one.version < other.version;
  if (one.updatedAt !== other.updatedAt) return one.updatedAt < other.updatedAt;
  if (one.occurredAt === undefined || other.occurredAt === undefined) return false;
  if (one.occurredAt !== other.occurredAt) return one.occurredAt < other.occurredAt;
  return (one.tie ?? '') < (other.tie ?? '');
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
    row.stated[field] = order;
    Object.assign(row, { [field]: value });
  }
}

/** True if a newer event stated this field. */
export function isStale(stated: Stated, field: string, order: Order): boolean {
  const last = stated[field];
  return last !== undefined && isOlder(order, last);
}
