/** What a setting may look like, and how it says what it must be. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseUrl } from '../platform/url.js';

export const text = z.string();
export const oneOf = <const T extends string>(...values: T[]) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });
export const wholeNumber = (min: number, max: number) =>
  text.refine((value) => /^\d+$/.test(value) && Number(value) >= min && Number(value) <= max, {
    message: `must be a whole number from ${min} to ${max}`,
  });

export const isWithin = (value: number, min: number, max: number) => value >= min && value <= max;

/** What is sent in a header and guessed by strangers: 32 characters, so that it was made and not thought of. */
export const token = text.regex(/^[\x21-\x7e]{32,256}$/, {
  message: 'must have 32 to 256 characters without spaces, for example from: openssl rand -base64 32',
});

export const DNS_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;

/** The parts between commas. */
export function list(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

/** Where links may begin: an origin, for PUBLIC_URL. */
export function isPublicUrl(value: string): boolean {
  if (parseUrl(value) === null) return false;
  const url = new URL(value);
  return (
    /^https?:$/.test(url.protocol) &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    url.pathname === '/'
  );
}

export function isAddressOrSubnet(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/');
  const width = { 0: -1, 4: 32, 6: 128 }[isIP(address)]!;
  return rest.length === 0 && width > 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= width));
}
