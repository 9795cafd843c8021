/** Whether `accept-encoding` names a coding, and not with a weight of 0 (RFC 9110 12.5.3). */
export function takesCoding(accepted: string | string[] | undefined, coding: 'br' | 'gzip'): boolean {
  return new RegExp(`\\b${coding}\\b(?!\\s*;\\s*q=0(?:\\.0*)?\\s*(?:,|$))`, 'i').test(String(accepted ?? ''));
}
