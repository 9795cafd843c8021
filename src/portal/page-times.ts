import { isTimeZone } from '../platform/locale.js';
import { clockWriter, momentWriter, type WriteMoment } from '../platform/moments.js';

/** Formatters of one language and time zone. */
export interface Times {
  clock: WriteMoment;
  full: WriteMoment;
  short(at: Date, now: Date): { day: string; clock: string };
}

/** Making an Intl formatter costs as much as rendering a whole page, so they are kept: at most this many. */
const KEPT_FORMATTERS = 256;
const timesByPlace = new Map<string, Times>();

export function timesFor(locale: string, timeZone: string | null): Times {
  const zone = knownZone(timeZone);
  const place = `${locale}|${zone}`;
  const kept = timesByPlace.get(place);
  if (kept) return kept;
  if (timesByPlace.size >= KEPT_FORMATTERS) timesByPlace.clear();
  const times = makeTimes(locale, zone);
  timesByPlace.set(place, times);
  return times;
}

function makeTimes(locale: string, zone: string | null): Times {
  const make = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(locale, { timeZone: zone ?? 'UTC', ...options });
  // A time in a zone that is not the reader's own must say which one it is.
  const clock = clockWriter(locale, zone ?? 'UTC', zone === null);
  const thisYear = make({ day: 'numeric', month: 'short' });
  const anyYear = make({ day: 'numeric', month: 'short', year: 'numeric' });
  const ordinal = new Intl.DateTimeFormat('en-CA', { timeZone: zone ?? 'UTC', dateStyle: 'short' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const dayOf = (at: Date): string => ordinal.format(at);
  const day = (at: Date, now: Date): string => {
    const days = Math.round((Date.parse(dayOf(at)) - Date.parse(dayOf(now))) / 86_400_000);
    if (days === 0 || days === -1) return upperFirst(relative.format(days, 'day'), locale);
    return (dayOf(at).slice(0, 4) === dayOf(now).slice(0, 4) ? thisYear : anyYear).format(at);
  };
  return {
    clock,
    full: momentWriter(locale, zone ?? 'UTC', 'full'),
    short: (at, now) => ({ day: day(at, now), clock: clock(at) }),
  };
}

const upperFirst = (text: string, locale: string): string => text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);

/** The zone if Intl knows it: a source may send anything. */
export function knownZone(timeZone: string | null): string | null {
  return timeZone !== null && isTimeZone(timeZone) ? timeZone : null;
}

/** `18 kB`, `2.4 MB` as the language writes it. */
export function fileSize(bytes: number, locale: string): string {
  // Limits are set in steps of 1024, and a limit of 10 MiB should read "10 MB".
  const [value, unit] = bytes < 1024 * 1024 ? [bytes / 1024, 'kilobyte'] : [bytes / 1024 / 1024, 'megabyte'];
  const rounded = unit === 'kilobyte' ? Math.max(1, Math.round(value)) : Math.round(value * 10) / 10;
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short' }).format(rounded);
}
