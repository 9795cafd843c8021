/** Control characters, line breaks and bidirectional overrides: in a name they change what stands around it. */
export const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;

export function isOneLine(text: string): boolean {
  return text.search(UNPRINTABLE) === -1;
}
