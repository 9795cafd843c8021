/** What a figure came to over the rounds. */
export interface Summary {
  median: number;
  min: number;
  max: number;
}

const ascending = (values: readonly number[]) => [...values].sort((a, b) => a - b);

/** Nearest-rank percentile: the smallest value that at least `share` (0–1) of all values do not exceed. Throws on an empty list. */
export function percentile(values: readonly number[], share: number): number {
  const rank = Math.max(1, Math.ceil(values.length * share));
  const value = ascending(values)[rank - 1];
  if (value === undefined) throw new RangeError('percentile of no values');
  return value;
}

/** The middle value, or the mean of the two middle ones. Throws on an empty list. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
  if (low === undefined || high === undefined) throw new RangeError('median of no values');
  return (low + high) / 2;
}

export function summarise(values: readonly number[]): Summary {
  return { median: median(values), min: percentile(values, 0), max: percentile(values, 1) };
}

/** How far the farthest value is from the mean of all, as a share of that mean. Throws on an empty list. */
export function farthestFromMean(values: readonly number[]): number {
  const all = mean(values);
  return Math.max(...values.map((value) => Math.abs(value - all))) / all;
}

/** Throws on an empty list. */
export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('mean of no values');
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
