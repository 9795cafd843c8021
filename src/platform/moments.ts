/** Dates and times as a reader writes them, with the zone behind them where it is read aloud. */

const NO_BREAK = '\u00a0';

/** What a moment is made of: `date` has no time, `time` no zone, `dateAndTime` is both as CLDR joins them. */
interface Pieces {
  date: string;
  time: string;
  dateAndTime: string;
  zone: string;
}

interface Custom {
  moment(pieces: Pieces): string;
  /** A time of day with its zone. */
  clock?(time: string, zone: string): string;
  time?: Intl.DateTimeFormatOptions;
}

// ICU asked for the zone in one go puts it before the time, into brackets of its own or between the hour and its word.
const CUSTOM: Readonly<Record<string, Custom>> = {
  zh: { moment: ({ dateAndTime, zone }) => `${dateAndTime}（${zone}）`, clock: (time, zone) => `${time}（${zone}）` },
  vi: {
    moment: ({ date, time, zone }) => `${time}${NO_BREAK}${zone}, ${date.replace(/\d/, 'ngày $&')}`,
  },
  hi: {
    moment: ({ date, time, zone }) => `${date} को ${time} बजे (${zone})`,
    clock: (time, zone) => `${time} बजे (${zone})`,
    time: { hour: 'numeric', minute: '2-digit', dayPeriod: 'short' },
  },
};
// ICU writes AM and PM among Korean words.
const DAY_PERIODS: Readonly<Record<string, Readonly<Record<string, string>>>> = { ko: { AM: '오전', PM: '오후' } };

/** Writes moments, milliseconds since 1970 or dates. */
export type WriteMoment = (at: number | Date) => string;

/**
 * `23 November 2026 pukul 09.15 WIB`. Costs some 100 µs to make: to be kept.
 * @param timeZone one that Intl knows
 */
export function momentWriter(locale: string, timeZone: string, dateStyle: 'long' | 'full'): WriteMoment {
  const custom = customOf(locale);
  const date = writer(locale, { timeZone, dateStyle });
  const time = writer(locale, { timeZone, ...timeOptions(custom) });
  const dateAndTime = writer(locale, { timeZone, dateStyle, timeStyle: 'short' });
  const zone = zoneWriter(locale, timeZone);
  return (at) => {
    if (!custom) return `${dateAndTime(at)}${NO_BREAK}${zone(at)}`;
    return custom.moment({ date: date(at), time: time(at), dateAndTime: dateAndTime(at), zone: zone(at) });
  };
}

/** `09.15`; with the zone `09.15 WIB`. To be kept, like the other. */
export function clockWriter(locale: string, timeZone: string, withZone: boolean): WriteMoment {
  const custom = customOf(locale);
  const time = writer(locale, { timeZone, ...timeOptions(custom) });
  if (!withZone) return time;
  const zone = zoneWriter(locale, timeZone);
  return (at) => custom?.clock?.(time(at), zone(at)) ?? `${time(at)}${NO_BREAK}${zone(at)}`;
}

function timeOptions(custom: Custom | undefined): Intl.DateTimeFormatOptions {
  // timeStyle pads as each language does: 09.15 in Indonesian, 9:15 AM in English.
  return custom?.time ?? { timeStyle: 'short' };
}

function customOf(locale: string): Custom | undefined {
  return CUSTOM[new Intl.Locale(locale).language];
}

function writer(locale: string, options: Intl.DateTimeFormatOptions): WriteMoment {
  const format = new Intl.DateTimeFormat(locale, options);
  const periods = DAY_PERIODS[new Intl.Locale(locale).language];
  if (!periods) return (at) => format.format(at);
  return (at) =>
    format
      .formatToParts(at)
      .map(({ type, value }) => (type === 'dayPeriod' ? (periods[value] ?? value) : value))
      .join('');
}

function zoneWriter(locale: string, timeZone: string): WriteMoment {
  const format = new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: 'short' });
  return (at) => format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? timeZone;
}
