import type { z } from 'zod';
import { pointerOf, type FieldError } from '../errors.js';

/** For `safeParse`: what is wrong with a body in words for whoever wrote it. What it leaves out, Zod says. */
export const inWords: z.core.$ZodErrorMap = (issue) => {
  if (issue.input === undefined && issue.code === 'invalid_value') return `is required: ${choices(issue.values)}`;
  if (issue.input === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_union'))
    return 'is required';
  if (issue.code === 'invalid_union') return `must not be ${named(kindOf(issue.input))}`;
  if (issue.code === 'invalid_type') return `must be ${named(issue.expected)}, not ${named(kindOf(issue.input))}`;
  if (issue.code === 'invalid_value') return `must be ${choices(issue.values)}`;
  if (issue.code === 'too_small' && issue.origin === 'string' && issue.minimum === 1) return 'must not be empty';
  if (issue.code === 'too_big' && issue.origin === 'string') return `may have ${issue.maximum} characters at most`;
  if (issue.code === 'too_big' && issue.origin === 'array') return `may have ${issue.maximum} elements at most`;
  if (issue.code === 'invalid_format' && issue.format === 'datetime')
    return 'must be a time with a zone, like 2026-11-23T02:15:00Z';
  if (issue.code === 'invalid_format' && issue.format === 'url') return 'must be a URL that begins with http';
  return undefined;
};

/** Every fault by its place: a JSON pointer (RFC 6901) that begins with `at`. */
export function faultsOf({ issues }: z.core.$ZodError, at = ''): FieldError[] {
  return issues.map(({ path, message }) => ({ pointer: `${at}${pointerOf(path)}`, detail: message }));
}

function choices(values: readonly unknown[]): string {
  const shown = values.map((value) => JSON.stringify(value));
  return shown.length === 1 ? shown[0]! : `one of ${shown.join(', ')}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** `a string`, `an object`; null stands alone. */
function named(kind: string): string {
  if (kind === 'null') return kind;
  if (kind === 'int') return 'a whole number';
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}
